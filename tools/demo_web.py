"""A web page for a model: ``python tools/demo_web.py --config CONFIG --checkpoint CHECKPOINT``."""
import argparse
import base64
import io
import json
import time
from pathlib import Path
from threading import Lock
from typing import List, Tuple

import numpy as np
from PIL import Image
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sr4ir_mm.utils import ConfigError, run_tool
from sr4ir_mm.utils.images import ImageError, list_images, read_image

PAGE = Path(__file__).with_suffix('.html')
MAX_BYTES = 32 * 2**20


class Upload(Request):
    max_content_length = MAX_BYTES


class DemoApp:
    """The pages as a WSGI application.

    Args:
        inferencer: A :class:`~sr4ir_mm.apis.CascadeInferencer`.
        title: What to call the model.
        samples: Paths of images to pick from.
        max_pixels: Larger images are refused.
    """

    def __init__(self, inferencer, title: str, samples: List[str], max_pixels: int) -> None:
        from sr4ir_mm.visualization import PanelDrawer
        self._inferencer = inferencer
        self._drawer = PanelDrawer(
            inferencer.model, inferencer.dataset_meta, inferencer.cfg.get('visualizer'), min_height=240)
        self._title = title
        self._samples = samples
        self._max_pixels = max_pixels
        self._lock = Lock()  # one image at a time has the model

    def __call__(self, environ, start_response):
        request = Upload(environ)
        try:
            response = self._answer(request)
        except ConfigError as error:
            response = _json(dict(error=str(error)), 400)
        except RequestEntityTooLarge:
            response = _json(dict(error=f'The file has more than {MAX_BYTES // 2**20} MB.'), 413)
        except HTTPException as error:
            response = _json(dict(error=error.description), error.code)
        except (RuntimeError, MemoryError) as error:  # of one image; the server goes on
            response = _json(dict(error=f'This image cannot be processed ({str(error).splitlines()[0]}).'), 500)
        response.headers['X-Content-Type-Options'] = 'nosniff'
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        route = (request.method, request.path)
        if route == ('GET', '/'):
            return Response(PAGE.read_text(), mimetype='text/html')
        if route == ('GET', '/info'):
            return _json(dict(model=self._title, samples=[Path(path).name for path in self._samples]))
        if request.method == 'GET' and request.path.startswith('/samples/'):
            return Response(_png(read_image(self._sample(request.path.split('/')[-1]))), mimetype='image/png')
        if route == ('POST', '/run'):
            return _json(self._run(request))
        raise NotFound()

    def _sample(self, index: str) -> str:
        if not index.isdigit() or int(index) >= len(self._samples):
            raise NotFound(f'There is no sample {index}.')
        return self._samples[int(index)]

    def _run(self, request: Request) -> dict:
        if 'sample' in request.form:
            source = name = self._sample(request.form['sample'])
        elif 'image' in request.files:
            source, name = request.files['image'].read(), request.files['image'].filename
        else:
            raise ConfigError('No image was sent.')
        started = time.monotonic()
        name = Path(name or 'image').name
        try:
            image = read_image(source, self._max_pixels)
        except ImageError as error:
            raise ImageError(str(error).replace('the file that was sent', name)) from error
        with self._lock:
            result, = self._inferencer.stream(
                np.ascontiguousarray(image[..., ::-1]), degrade=bool(request.form.get('degrade')),
                max_pixels=self._max_pixels)
            if result.error:
                raise ImageError(result.error)
            return dict(self._describe(result, Path(name).stem), seconds=time.monotonic() - started)

    def _describe(self, result, stem: str) -> dict:
        sample, drawer = result.data_sample, self._drawer
        analysis = drawer.analyze(sample)
        row = drawer.row(sample, analysis)
        labels = sorted(drawer.labels(sample))
        meta = self._inferencer.dataset_meta
        tiles = {tile.title: tile for tile in row}
        predictions, numbers = [], {}
        for name, predicted in analysis.predicted.items():
            numbers[name] = self._inferencer.model.prediction(predicted, meta['classes'])
            title = f'prediction on {name}'
            predictions.append(
                dict(title=f'on {"the bilinear image" if name == "LR" else name}', url=_url(_png(tiles[title].image)),
                     rows=_rows(numbers[name], meta['classes'])))
        images = [dict(name=name, caption=tiles[name].caption, url=_url(_png(image)))
                  for name, image in (('LR', result.lr), ('SR', result.sr), ('HR', result.hr))
                  if image is not None and name in tiles]
        plain = {name: {key: value for key, value in found.items() if not isinstance(value, np.ndarray)}
                 for name, found in numbers.items()}
        files = [
            dict(name=f'{stem}_sr.png', url=_url(_png(result.sr))),
            dict(name=f'{stem}_panel.png', url=_url(_png(drawer.compose([row], labels)))),
            dict(name=f'{stem}.json', url=_url(json.dumps(plain, indent=2).encode(), 'application/json'))
        ]
        if 'sem_seg' in result.prediction:
            files.append(dict(name=f'{stem}_labels.png', url=_url(_png(result.prediction['sem_seg']))))
        return dict(
            images=images, width=result.sr.shape[1], height=result.sr.shape[0], predictions=predictions, files=files,
            legend=[(meta['classes'][label], 'rgb({}, {}, {})'.format(*meta['palette'][label])) for label in labels])


def _rows(prediction: dict, classes: List[str]) -> List[Tuple[str, str]]:
    """What is told of a prediction beside its picture: names and scores."""
    if 'pred_scores' in prediction:
        best = sorted(zip(prediction['pred_scores'], classes), reverse=True)[:5]
        return [(name, f'{score:.3f}') for score, name in best]
    if 'bboxes' in prediction:
        from sr4ir_mm.models.detector import SHOWN_SCORE
        return [(name, f'{score:.3f}') for name, score in zip(prediction['classes'], prediction['scores'])
                if score > SHOWN_SCORE][:12]
    shares = sorted(prediction.get('area', {}).items(), key=lambda entry: -entry[1])
    scores = prediction.get('scores', {})
    return [(name, f'{share:.1%}' + (f', score {scores[name]:.2f}' if name in scores else ''))
            for name, share in shares]


def _json(content: dict, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype='application/json')


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'PNG')
    return buffer.getvalue()


def _url(data: bytes, kind: str = 'image/png') -> str:
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='A web page that restores and recognizes images')
    parser.add_argument(
        '--config', help='path of a config, or name of one in configs/; default: that of the checkpoint, '
        'which needs --trust-checkpoint')
    parser.add_argument('--checkpoint', required=True, help='path of the checkpoint')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='read checkpoints that may run any code of their makers')
    parser.add_argument('--device', help='for example cpu or cuda:0; default: a GPU where there is one')
    parser.add_argument('--samples', nargs='*', default=[], help='images, or folders of images, to pick from')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0: for other machines too; default: %(default)s')
    parser.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    parser.add_argument(
        '--max-pixels', type=int, default=1_000_000, help='larger images are refused; default: %(default)s')
    return parser.parse_args(argv)


def make_app(args: argparse.Namespace) -> DemoApp:
    from sr4ir_mm.apis import CascadeInferencer
    samples = list_images(args.samples)[:24]
    inferencer = CascadeInferencer(args.config, args.checkpoint, args.device, show_progress=False,
                                    trust_checkpoint=args.trust_checkpoint)
    title = f'{Path(args.config or args.checkpoint).stem}, ×{inferencer.model.scale}'
    return DemoApp(inferencer, title, samples, args.max_pixels)


def main(argv=None) -> None:
    args = parse_args(argv)
    server = make_server(args.host, args.port, make_app(args), threaded=True)
    print(f'http://{args.host}:{server.port}/ shows the page; Ctrl-C ends it.', flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    run_tool(main)
