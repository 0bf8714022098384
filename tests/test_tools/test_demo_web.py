"""The web page, by requests, and end to end in a browser where there is one."""

import base64
import io
import json
import shutil
import socket
import struct
import threading
import zlib
from unittest.mock import MagicMock, Mock
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from werkzeug.serving import make_server
from werkzeug.test import Client


@pytest.fixture
def app(tool, inferencer, tmp_path):
    def make(task='segmentation', max_pixels=10_000, **kwargs):
        Image.fromarray(picture()).save(tmp_path / 'sample.png')
        return tool('demo_web').DemoApp(
            inferencer(task), 'tiny', [str(tmp_path / 'sample.png')], max_pixels=max_pixels, **kwargs
        )

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


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'words.png is empty'),
        (b'words', 'words.png is not an image'),
        (png(picture(200, 200)), 'words.png has 200×200 pixels, more than the 0.01 million'),
    ],
)
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


def test_a_name_that_the_server_does_not_have_is_refused(app):
    client = Client(app())
    for host in (
        'evil.example',
        'evil.example:7860',
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        '10.0.0.7',
        'localhost, evil.example',
        '[',
        'ö',
        '@localhost',
    ):
        for path, method in (('/', 'GET'), ('/samples/0', 'GET'), ('/run', 'POST')):
            answer = client.open(path, method=method, headers={'Host': host})
            assert answer.status_code == 400 and '--allowed-hosts' in answer.get_json()['error'], host


@pytest.mark.parametrize(
    'argv, hosts, refused',
    [
        (
            [],
            ['localhost', 'LOCALHOST:7860', '127.0.0.1:7860', '[::1]:7860'],
            ['10.0.0.7', 'demo.example', '[::::]', ''],
        ),
        (['--host', 'demo.example'], ['demo.example:7860', 'localhost'], ['www.demo.example']),
        (['--host', 'fe80::7'], ['[fe80::7]:7860'], ['[fe80::8]:7860']),
        (['--host', '0.0.0.0'], ['10.0.0.7:7860', '[fe80::7]', 'localhost'], ['demo.example', '10.0.0.7.demo.example']),
        (['--host', '::'], ['10.0.0.7:7860', '[fe80::7]'], ['demo.example', '[::::]', '']),
        (['--allowed-hosts', 'Demo.example', 'other:80'], ['demo.example', 'other:7860', 'localhost'], ['10.0.0.7']),
        (['--allowed-hosts', '*'], ['demo.example', '10.0.0.7', ''], []),
    ],
)
def test_the_names_of_the_server(tool, argv, hosts, refused, monkeypatch):
    module = tool('demo_web')
    made = {}
    monkeypatch.setattr(module, 'DemoApp', lambda *args, **kwargs: made.update(kwargs))
    monkeypatch.setattr('sr4ir_mm.apis.CascadeInferencer', Mock())
    module.make_app(module.parse_args(['--checkpoint', 'a.pth', *argv]))
    assert all(module.is_allowed(host, made['allowed_hosts']) for host in hosts)
    assert not any(module.is_allowed(host, made['allowed_hosts']) for host in refused)


@pytest.mark.parametrize('option, value', [('--max-waiting', '-1'), ('--max-side', '0'), ('--max-pixels', '0')])
def test_limits_that_are_none(tool, option, value):
    module = tool('demo_web')
    with pytest.raises(module.ConfigError, match=f'{option} is {value}; allowed: from'):
        module.make_app(module.parse_args(['--checkpoint', 'a.pth', option, value]))


@pytest.mark.parametrize('size', ['1×60000000', '60000000×1', '101×2'])
def test_a_long_image_is_refused_before_it_is_decoded(app, size):
    width, height = map(int, size.split('×'))
    header = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
    response = upload(Client(app(max_pixels=100_000_000, max_side=100)), header + chunk(b'IDAT', b''), 'long.png')
    assert response.status_code == 400
    assert response.get_json()['error'].startswith(f'long.png has {size} pixels, more than the 100 that are allowed on')


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def test_a_thin_image_is_not_blown_up(app):
    found = upload(Client(app()), png(picture(1, 1000))).get_json()  # 4 × 4000 restored; 240 high were 240,000 wide
    assert max(decode(image['url']).shape[1] for image in found['images'] + found['predictions']) == 4000


def test_when_too_many_wait_the_next_is_refused(app):
    app = app(max_waiting=1)
    client, arrived, go_on = Client(app), threading.Semaphore(0), threading.Event()
    run, lock, answers = app._inferencer.stream, app._lock, []

    def stream(*args, **kwargs):
        assert go_on.wait(60)
        return run(*args, **kwargs)

    app._inferencer.stream = stream
    app._lock = MagicMock()
    app._lock.__enter__.side_effect = lambda *_: (arrived.release(), lock.acquire())
    app._lock.__exit__.side_effect = lambda *_: lock.release()
    threads = [
        threading.Thread(target=lambda: answers.append(upload(Client(app), png(picture())).status_code))
        for _ in range(2)
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:  # one has the model, the other waits for it
            assert arrived.acquire(timeout=60)
        refused = upload(client, png(picture()))
        assert refused.status_code == 503 and refused.headers['Retry-After'] == '10'
        assert refused.get_json()['error'] == 'The server is busy and its queue of 1 is full. Try again in a moment.'
        assert client.get('/').status_code == 200
    finally:
        go_on.set()
        for thread in threads:
            thread.join(60)
    assert answers == [200, 200]
    for _ in range(3):  # places are given back, also after an error
        assert upload(client, b'words').status_code == 400
    assert upload(client, png(picture())).status_code == 200


@pytest.mark.parametrize(
    'path, allowed', [('/', 'GET HEAD'), ('/info', 'GET HEAD'), ('/samples/0', 'GET HEAD'), ('/run', 'POST')]
)
def test_other_methods_are_refused(app, path, allowed):
    client = Client(app())
    for method in {'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'NONSENSE'} - set(allowed.split()):
        answer = client.open(path, method=method)
        assert answer.status_code == 405 and set(answer.headers['Allow'].split(', ')) == set(allowed.split())
        assert method == 'HEAD' or 'not allowed' in answer.get_json()['error']
    for path in ('//run', '/run/', '/samples/', '/samples/0/1', '/samples'):
        assert client.put(path).status_code in (404, 405)


ODD = ['²', '٣', '-1', '+0', '00', '0.0', '1e0', '0x0', ' 0', '0_0', '9' * 5000, '', '\0', '\ud800']


def test_odd_numbers_of_samples(app):
    client = Client(app())
    for number in ODD:
        number = quote(number.encode('utf-8', 'surrogatepass'))
        assert client.get(f'/samples/{number}').status_code == 404, number
        answer = client.post('/run', data=f'sample={number}', content_type='application/x-www-form-urlencoded')
        assert answer.status_code == 404 and len(answer.get_json()['error']) < 200, number


def test_odd_lengths_of_requests(app):
    server = make_server('127.0.0.1', 0, app(), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request = 'POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\n' 'Content-Type: multipart/form-data; boundary=x\r\n{}\r\n\r\n'
    headers = [f'Content-Length: {value}' for value in (*ODD[:-2], '9' * 20)]
    headers += [f'Transfer-Encoding: chunked\r\n\r\n{value}' for value in ('²', '-1', 'zz', '5', 'f' * 40)]
    try:
        for header in headers:
            with socket.create_connection(('127.0.0.1', server.port), timeout=60) as connection:
                connection.sendall(request.format(header).encode())
                connection.shutdown(socket.SHUT_WR)
                head, body = connection.makefile('rb').read().decode().split('\r\n\r\n', 1)
            assert int(head.split()[1]) in (400, 413), header
            assert json.loads(body)['error'].endswith('.'), header
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize('error, reason', [(MemoryError(), 'MemoryError'), (ValueError('no\nimage'), 'no')])
def test_an_error_within_the_model_is_told(app, error, reason, capsys):
    app = app()
    app._inferencer.stream = lambda *_, **__: exec('raise error', dict(error=error))
    answer = upload(Client(app), png(picture()))
    assert answer.status_code == 500
    assert answer.get_json()['error'] == f'This image cannot be processed ({reason}).'
    assert 'Traceback' in capsys.readouterr().err


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
            "const s = document.getElementById('slider'); s.value = 20; s.dispatchEvent(new Event('input'))"
        )
        assert find('divider').value_of_css_property('left') != ''
        assert '80%' in browser.execute_script("return document.getElementById('over').style.clipPath")
        assert find('downloads').find_element('css selector', 'a').text == 'small_sr.png'
        # a bad file: a message, and no result
        (tmp_path / 'words.png').write_text('words')
        find('file').send_keys(str(tmp_path / 'words.png'))
        find('run').click()
        wait(lambda: 'words.png is not an image' in find('message').text)
        assert find('message').get_attribute('class') == 'error' and not find('result').is_displayed()
        # a sample
        browser.find_element('css selector', '#samples img').click()
        wait(lambda: find('message').text.startswith('Done'))
        assert find('result').is_displayed()
        assert not [entry for entry in browser.get_log('browser') if 'Uncaught' in entry['message']]
    finally:
        server.shutdown()
