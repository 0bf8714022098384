"""The model index and its metafiles, as mim reads them."""

from pathlib import Path

import pytest
import yaml

from tests.helpers.builders import ROOT

INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
METAFILES = [ROOT / path for path in INDEX['Import']]


def load(path):
    return yaml.safe_load(path.read_text())


def test_the_index_is_valid():
    import modelindex.load_model_index

    index = modelindex.load_model_index.load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert len(index.models) == sum(len(load(path)['Models']) for path in METAFILES)


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_every_path_of_a_metafile(path):
    content = load(path)
    collections = {each['Name']: each for each in content['Collections']}
    for each in collections.values():
        assert (ROOT / each['README']).is_file() and each['Paper']['URL'].startswith('https://')
    for model in content['Models']:
        assert model['In Collection'] in collections
        assert (ROOT / model['Config']).is_file(), model['Config']
        # the name by which mim finds a config is that of its file; the folder's name may stand in front
        assert model['Name'].endswith((ROOT / model['Config']).stem)
        for result in model.get('Results') or ():
            assert (
                result['Task']
                and result['Dataset']
                and all(isinstance(value, (int, float)) for value in result['Metrics'].values())
            )
        # weights that are offered can be checked
        assert 'Weights' not in model or model['Weights'].rsplit('-', 1)[1].endswith('.pth')


#: the data set by the end of a config's name
DATA = {
    'voc': 'VOC2012',
    'cars': 'Stanford Cars',
    'cub': 'CUB-200-2011',
    'coco': 'COCO 2017',
    'ade20k': 'ADE20K',
    'imagenet': 'ImageNet-1k',
    'div2k': 'DIV2K',
}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_a_metafile_names_the_data_of_each_config(path):
    for model in load(path)['Models']:
        data = DATA.get(Path(model['Config']).stem.removesuffix('-realworld').split('_')[-1])
        assert model.get('Metadata', {}).get('Training Data') == data, model['Name']


def test_names_are_unique():
    names = [model['Name'] for path in METAFILES for model in load(path)['Models']]
    assert len(set(names)) == len(names)
