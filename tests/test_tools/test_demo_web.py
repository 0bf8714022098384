"""The web page, by requests, and end to end in a browser where there is one."""
import base64
import io
import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.test import Client

from tests.test_apis.conftest import checkpoints, inferencer  # noqa: F401


@pytest.fixture
def app(tool, inferencer, tmp_path):  # noqa: F811

    def make(task='segmentation'):
        Image.fromarray(picture()).save(tmp_path / 'sample.png')
        return tool('demo_web').DemoApp(inferencer(task), 'tiny', [str(tmp_path / 'sample.png')], max_pixels=10_000)

    return make


def picture(height=12, width=16):
    return np.random.RandomState(0).randint(0, 256, (height, width, 3), dtype=np.uint8)


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'PNG')
    return buffer.getvalue()


def decode(url):
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(',')[1]))))


def upload(client, content, name='small.png', **fields):
    return client.post('/run', data=dict(fields, image=(io.BytesIO(content), name)))


@pytest.mark.parametrize('task', ['segmentation', 'detection', 'classification'])
def test_an_upload_comes_back_restored_and_recognized(app, task):
    app = app(task)
    found = upload(Client(app), png(picture())).get_json()
    assert [image['name'] for image in found['images']] == ['LR', 'SR']
    assert np.array_equal(decode(found['images'][0]['url']), picture())
    assert np.array_equal(decode(found['images'][1]['url']), app._inferencer(picture()[..., ::-1])['sr'][0])
    assert [one['title'] for one in found['predictions']] == ['on the bilinear image', 'on SR']
    assert {file['name'] for file in found['files']} >= {'small_sr.png', 'small_panel.png', 'small.json'}
    numbers = json.loads(base64.b64decode(found['files'][2]['url'].split(',')[1]))
    assert set(numbers) == {'LR', 'SR'}
    if task == 'classification':
        best = max(numbers['SR']['pred_scores'])
        assert found['predictions'][1]['rows'][0] == [numbers['SR']['pred_class'], f'{best:.3f}']


def test_a_clean_image_and_a_sample(app):
    client = Client(app())
    names = [image['name'] for image in upload(client, png(picture(40, 40)), degrade='1').get_json()['images']]
    assert names == ['LR', 'SR', 'HR']
    assert client.get('/info').get_json()['samples'] == ['sample.png']
    assert client.get('/samples/0').data[:4] == b'\x89PNG'
    assert client.post('/run', data=dict(sample='0')).status_code == 200
    assert b'<title>' in client.get('/').data


@pytest.mark.parametrize('content, message', [
    (b'', 'words.png is empty'),
    (b'words', 'words.png is no image'),
    (png(picture(200, 200)), 'words.png has 200×200 pixels, more than the 0.01 million'),
])
def test_a_bad_file_is_refused_with_a_message(app, content, message):
    response = upload(Client(app()), content, 'words.png')
    assert response.status_code == 400 and message in response.get_json()['error']


def test_other_mistakes(app):
    client = Client(app())
    assert client.post('/run', data={}).get_json()['error'] == 'No image was sent.'
    assert client.post('/run', data=dict(sample='7')).status_code == 404
    assert client.get('/samples/..%2F..%2Fetc%2Fpasswd').status_code == 404
    assert client.get('/nothing').status_code == 404
    assert 'MB' in upload(client, b'0' * (33 * 2**20)).get_json()['error']


@pytest.fixture
def browser():
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    if not (shutil.which('chromium') and shutil.which('chromedriver')):
        pytest.skip('chromium and chromedriver are not installed')
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('headless=new', 'no-sandbox', 'disable-dev-shm-usage', 'disable-gpu', 'window-size=1100,1500'):
        options.add_argument(f'--{argument}')
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which('chromedriver')))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()


@pytest.mark.slow
def test_the_page_in_a_browser(app, browser, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait
    server = make_server('127.0.0.1', 0, app(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get(f'http://127.0.0.1:{server.port}/')

        def find(name):
            return browser.find_element('id', name)

        def wait(condition):
            WebDriverWait(browser, 120).until(lambda _: condition())

        (tmp_path / 'small.png').write_bytes(png(picture()))
        find('file').send_keys(str(tmp_path / 'small.png'))
        find('run').click()
        wait(lambda: find('message').text.startswith('Done'))
        assert find('result').is_displayed()
        width = browser.execute_script("return document.getElementById('under').naturalWidth")
        assert width == 64  # SR on the right, four times as wide
        assert len(browser.find_elements('css selector', '#predictions img')) == 2
        browser.execute_script(
            "const s = document.getElementById('slider'); s.value = 20; s.dispatchEvent(new Event('input'))")
        assert find('divider').value_of_css_property('left') != ''
        assert '80%' in browser.execute_script("return document.getElementById('over').style.clipPath")
        assert [link.text for link in browser.find_elements('css selector', '#downloads a')][0] == 'small_sr.png'
        # a bad file: a message, and no result
        (tmp_path / 'words.png').write_text('words')
        find('file').send_keys(str(tmp_path / 'words.png'))
        find('run').click()
        wait(lambda: 'words.png is no image' in find('message').text)
        assert find('message').get_attribute('class') == 'error' and not find('result').is_displayed()
        # a sample
        browser.find_element('css selector', '#samples img').click()
        wait(lambda: find('message').text.startswith('Done'))
        assert find('result').is_displayed()
        assert not [entry for entry in browser.get_log('browser') if 'Uncaught' in entry['message']]
    finally:
        server.shutdown()
