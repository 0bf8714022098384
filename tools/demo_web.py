"""A web page for a model: ``python tools/demo_web.py --config CONFIG --checkpoint CHECKPOINT``."""

import argparse
import base64
import io
import ipaddress
import json
import re
import time
import traceback
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Iterable, List, Sequence, Tuple

import numpy as np
from PIL import Image
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge, SecurityError, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.utils.images import ImageError, list_images, read_image

PAGE = Path(__file__).with_suffix('.html')
MAX_BYTES = 32 * 2**20
#: names that lead to this machine from itself alone, as the Host header has them
LOCAL = ('localhost', '127.0.0.1', '[::1]')
_EVERYWHERE = {'', '0.0.0.0', '[::]'}  # a server that is started on these has any address of the machine
_ROUTES = Map(
    [
        Rule('/', endpoint='page', methods=['GET']),
        Rule('/info', endpoint='info', methods=['GET']),
        Rule('/samples/<number>', endpoint='sample', methods=['GET']),
        Rule('/run', endpoint='run', methods=['POST']),
    ],
    strict_slashes=False,
    merge_slashes=False,
)


class Upload(Request):
    max_content_length = MAX_BYTES


class DemoApp:
    """The pages as a WSGI application.

    Args:
        inferencer: A :class:`~sr4ir_mm.apis.CascadeInferencer`.
        title: What to call the model.
        samples: Paths of images to pick from.
        max_pixels: Larger images are refused.
        max_side: So are images that are wider or higher, in pixels.
        max_waiting: Number of images that may wait for the model; more are refused.
        allowed_hosts: Names that a request may have in its Host header; see :func:`is_allowed`.
    """

    def __init__(
        self,
        inferencer,
        title: str,
        samples: List[str],
        max_pixels: int,
        max_side: int = 4096,
        max_waiting: int = 4,
        allowed_hosts: Sequence[str] = LOCAL,
    ) -> None:
        from sr4ir_mm.visualization import PanelDrawer

        self._inferencer = inferencer
        self._drawer = PanelDrawer(
            inferencer.model, inferencer.dataset_meta, inferencer.cfg.get('visualizer'), min_height=240
        )
        self._title = title
        self._samples = {str(number): path for number, path in enumerate(samples)}
        self._limits = dict(max_pixels=max_pixels, max_side=max_side)
        self._max_waiting = max_waiting
        self._places = BoundedSemaphore(1 + max_waiting)
        self._lock = Lock()  # one image at a time has the model
        self._allowed_hosts = allowed_hosts

    def __call__(self, environ, start_response):
        request = Upload(environ)
        try:
            response = self._answer(request)
        except ConfigError as error:
            response = _json(dict(error=str(error)), 400)
        except HTTPException as error:
            response = error.get_response(environ)  # with its headers, such as Allow
            response.data = json.dumps(dict(error=_sentence(error)))
            response.content_type = 'application/json'
        except Exception as error:  # of one image; the server goes on
            traceback.print_exc()
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            response = _json(dict(error=f'This image cannot be processed ({reason}).'), 500)
        response.headers['X-Content-Type-Options'] = 'nosniff'
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if not is_allowed(request.host, self._allowed_hosts):
            raise SecurityError(
                f'This server has not been started for the name {_host_name(request.host)[:80]!r}. '
                'Whoever runs it can allow the name with --allowed-hosts.'
            )
        endpoint, values = _ROUTES.bind_to_environ(request.environ).match()
        if endpoint == 'page':
            return Response(PAGE.read_text(), mimetype='text/html')
        if endpoint == 'info':
            return _json(dict(model=self._title, samples=[Path(path).name for path in self._samples.values()]))
        if endpoint == 'sample':
            return Response(_png(read_image(self._sample(**values), **self._limits)), mimetype='image/png')
        form, files = request.form, request.files  # before there is a place: who sends slowly takes none
        if not self._places.acquire(blocking=False):
            raise ServiceUnavailable(
                f'The server is busy and its queue of {self._max_waiting} is full. ' 'Try again in a moment.',
                retry_after=10,
            )
        try:
            return _json(self._run(form, files))
        finally:
            self._places.release()

    def _sample(self, number: str) -> str:
        if number not in self._samples:
            raise NotFound(f'There is no sample {number[:20]!r}.')
        return self._samples[number]

    def _run(self, form, files) -> dict:
        if 'sample' in form:
            source = name = self._sample(form['sample'])
        elif 'image' in files:
            source, name = files['image'].read(), files['image'].filename
        else:
            raise ConfigError('No image was sent.')
        started = time.monotonic()
        name = Path(name or 'image').name
        try:
            image = read_image(source, **self._limits)
        except ImageError as error:
            raise ImageError(str(error).replace('the file that was sent', name)) from error
        with self._lock:
            (result,) = self._inferencer.stream(
                np.ascontiguousarray(image[..., ::-1]), degrade=bool(form.get('degrade'))
            )
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
            numbers[name] = self._inferencer.model.task.prediction(predicted, meta['classes'])
            title = f'prediction on {name}'
            predictions.append(
                dict(
                    title=f'on {"the bilinear image" if name == "LR" else name}',
                    url=_url(_png(tiles[title].image)),
                    rows=_rows(numbers[name], meta['classes']),
                )
            )
        images = [
            dict(name=name, caption=tiles[name].caption, url=_url(_png(image)))
            for name, image in (('LR', result.lr), ('SR', result.sr), ('HR', result.hr))
            if image is not None and name in tiles
        ]
        plain = {
            name: {key: value for key, value in found.items() if not isinstance(value, np.ndarray)}
            for name, found in numbers.items()
        }
        files = [
            dict(name=f'{stem}_sr.png', url=_url(_png(result.sr))),
            dict(name=f'{stem}_panel.png', url=_url(_png(drawer.compose([row], labels)))),
            dict(name=f'{stem}.json', url=_url(json.dumps(plain, indent=2).encode(), 'application/json')),
        ]
        if 'sem_seg' in result.prediction:
            files.append(dict(name=f'{stem}_labels.png', url=_url(_png(result.prediction['sem_seg']))))
        return dict(
            images=images,
            width=result.sr.shape[1],
            height=result.sr.shape[0],
            predictions=predictions,
            files=files,
            legend=[(meta['classes'][label], 'rgb({}, {}, {})'.format(*meta['palette'][label])) for label in labels],
        )


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Return whether a request may use a name for this server.

    A page of another site could otherwise read the answers, by a name of its own that leads here (DNS rebinding).
    Werkzeug 3.1 has ``trusted_hosts`` for this, which never matches an IPv6 address.

    Args:
        host: The Host header, as :attr:`werkzeug.wrappers.Request.host` has checked it; with or without a port.
        allowed: Names or addresses. ``0.0.0.0`` and ``[::]`` stand for any address, which cannot be rebound, and ``*``
            for any name.
    """
    name, allowed = _host_name(host), {_host_name(one) for one in allowed}
    if '*' in allowed or name in allowed - _EVERYWHERE:
        return True
    return bool(allowed & _EVERYWHERE) and _is_address(name.strip('[]'))


def _host_name(host: str) -> str:
    """A host in lower case without its port; IPv6 addresses in brackets."""
    if _is_address(host) and ':' in host:
        return f'[{host.lower()}]'
    return re.sub(r':[0-9]*$', '', host).lower()


def _is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _sentence(error: HTTPException) -> str:
    if isinstance(error, RequestEntityTooLarge):
        return f'The request is too large; a file may have up to {MAX_BYTES // 2**20} MB.'
    return error.description


def _rows(prediction: dict, classes: List[str]) -> List[Tuple[str, str]]:
    """What is told of a prediction beside its picture: names and scores."""
    if 'pred_scores' in prediction:
        best = sorted(zip(prediction['pred_scores'], classes), reverse=True)[:5]
        return [(name, f'{score:.3f}') for score, name in best]
    if 'bboxes' in prediction:
        from sr4ir_mm.models.tasks.detection import SHOWN_SCORE

        return [
            (name, f'{score:.3f}')
            for name, score in zip(prediction['classes'], prediction['scores'])
            if score > SHOWN_SCORE
        ][:12]
    shares = sorted(prediction.get('area', {}).items(), key=lambda entry: -entry[1])
    scores = prediction.get('scores', {})
    return [
        (name, f'{share:.1%}' + (f', score {scores[name]:.2f}' if name in scores else '')) for name, share in shares
    ]


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
        '--config',
        help='path of a config, or name of one in configs/; default: that of the checkpoint, '
        'which needs --trust-checkpoint',
    )
    parser.add_argument('--checkpoint', required=True, help='path of the checkpoint')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    parser.add_argument('--device', help='for example cpu or cuda:0; default: a GPU where there is one')
    parser.add_argument('--samples', nargs='*', default=[], help='images, or folders of images, to pick from')
    parser.add_argument('--host', default='127.0.0.1', help='0.0.0.0: for other machines too; default: %(default)s')
    parser.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    parser.add_argument(
        '--allowed-hosts',
        nargs='+',
        default=[],
        metavar='NAME',
        help='more names that the page may be opened by, '
        "besides localhost and --host; '*': any; with --host 0.0.0.0 the machine's addresses need no mention",
    )
    parser.add_argument(
        '--max-pixels', type=int, default=1_000_000, help='larger images are refused; default: %(default)s'
    )
    parser.add_argument(
        '--max-side', type=int, default=4096, help='wider or higher images are refused; default: %(default)s pixels'
    )
    parser.add_argument(
        '--max-waiting',
        type=int,
        default=4,
        help='number of images that may wait for the model; more are refused; ' 'default: %(default)s',
    )
    return parser.parse_args(argv)


def make_app(args: argparse.Namespace) -> DemoApp:
    from sr4ir_mm.apis import CascadeInferencer

    for name, least in (('max_pixels', 1), ('max_side', 1), ('max_waiting', 0)):
        if getattr(args, name) < least:
            raise ConfigError(f'--{name.replace("_", "-")} is {getattr(args, name)}; allowed: from {least}.')
    samples = list_images(args.samples)[:24]
    inferencer = CascadeInferencer(
        args.config, args.checkpoint, args.device, show_progress=False, trust_checkpoint=args.trust_checkpoint
    )
    title = f'{Path(args.config or args.checkpoint).stem}, ×{inferencer.model.scale}'
    return DemoApp(
        inferencer,
        title,
        samples,
        args.max_pixels,
        args.max_side,
        args.max_waiting,
        allowed_hosts=[*LOCAL, args.host, *args.allowed_hosts],
    )


def main(argv=None) -> None:
    args = parse_args(argv)
    server = make_server(args.host, args.port, make_app(args), threaded=True)
    print(f'http://{_host_name(args.host)}:{server.port}/ shows the page; Ctrl-C ends it.', flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == '__main__':
    run_tool(main)
