"""Write what an experiment has found: tables, plots and raw results, of a plan or of a file of results."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from sr4ir_mm.config import check_file
from sr4ir_mm.errors import check_choice

from .axes import Setting, point_text
from .differences import Differences, difference_table
from .plan import Plan
from .plot import plot
from .runs import at_point, point_of, points_of, read_result, task_of
from .study import Study
from .tables import axes_table, main_metric, markdown, shown_metrics, summarize, write_csv


@dataclass(frozen=True)
class Report:
    """Writes the tables that a study asks for.

    Args:
        study: What is compared.
        metric: The task metric to show; None: the usual one.
        replicates: Samples of images and seeds for the intervals; 0: paired t intervals over seeds.
    """

    study: Study
    metric: Optional[str] = None
    replicates: int = 1000

    def write_plan(self, plan: Plan) -> None:
        """Write what the runs of a plan have found so far, into its work dir."""
        tables = []
        for setting, runs in plan.tables.items():
            results = [run.result for run in runs if run.result]
            task = setting.task or next(iter(plan.methods))
            if results:
                heading = self.study.headings.get(task, task)
                table = self._write_table(results, plan.order, heading, plan.work_dir / setting.folder)
                tables.append(f'{setting}\n\n{table}' if str(setting) else table)
        if not tables:
            return
        # of earlier commands too, with other protocols, seeds or values
        paths = sorted(plan.work_dir.glob('**/result.json'))
        text = ''.join(json.dumps(json.loads(path.read_text())) + '\n' for path in paths)
        (plan.work_dir / 'results.jsonl').write_text(text)
        (plan.work_dir / 'table.md').write_text('\n'.join(tables))
        print('', *tables, sep='\n', flush=True)
        written = self._write_overviews([read_result(path) for path in paths], plan.work_dir)
        print(
            f'Written to {plan.work_dir}: table.md, table.csv, plot.png, results.jsonl', *written, sep=', ', flush=True
        )

    def write_results(self, path: Path) -> None:
        """Write what a file of results says, next to it.

        Raises:
            ConfigError: The file does not exist or has a protocol that the study does not have.
        """
        check_file(str(path), '--results')
        results = [json.loads(line) for line in path.read_text().splitlines()]
        settings: Dict[Setting, List[dict]] = defaultdict(list)
        for result in results:
            check_choice(result['protocol'], self.study.titles, f'{path}: protocol')
            setting = Setting(task_of(result), point_of(result))
            result['folder'] = str(_folder(result, setting, path.parent))
            settings[setting].append(result)
        for setting, chosen in settings.items():
            names = [result['protocol'] for result in chosen]
            heading = self.study.headings.get(setting.task, str(setting))
            table = self._write_table(chosen, names, heading, path.parent / setting.folder)
            print(f'{setting}\n\n{table}', flush=True)
        written = self._write_overviews(results, path.parent)
        print(f'Written to {path.parent}: in a folder for each task table.md, table.csv, plot.png', *written, sep=', ')

    def _write_table(self, results: List[dict], protocols: Sequence[str], heading: str, folder: Path) -> str:
        """Write the table of one setting, draw its plot, and return the table."""
        metric = main_metric(results, self.metric)
        there = {result['protocol'] for result in results}
        summary = summarize(
            results,
            [name for name in self.study.titles if name in protocols],
            metric,
            self.study.baseline if self.study.baseline in there else None,
            Differences(results, metric, replicates=self.replicates).interval,
        )
        table = markdown(summary, self.study.titles)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'table.md').write_text(table)
        write_csv(summary, folder / 'table.csv')
        # what others start from is not compared, and often so far off that it would hide the differences
        compared = [name for name in summary.seeds if name in self.study.protocols] or list(summary.seeds)
        plot(summary, compared, self.study.titles, heading, folder / 'plot.png')
        return table

    def _write_overviews(self, results: List[dict], folder: Path) -> List[str]:
        """Write the tables over several settings and return the names of their files."""
        by_task: Dict[str, List[dict]] = defaultdict(list)
        for result in results:
            by_task[task_of(result)].append(result)
        files = {'axes.md': self._axes(by_task)}
        for name, table in self.study.differences.items():
            columns = self._columns(by_task)
            text = difference_table(columns, table.pairs, self.study.titles, table.metrics, self.replicates)
            files[f'{name}.md'] = text
            print(f'{table.title}\n\n{text}', flush=True)
        files = {name: text for name, text in files.items() if text}
        for name, text in files.items():
            (folder / name).write_text(text)
        return list(files)

    def _axes(self, by_task: Dict[str, List[dict]]) -> str:
        """Return a table for each task and figure, with a column for each point; none where a task has one point."""
        tables = []
        for task, results in by_task.items():
            if len(points_of(results)) > 1:
                for metric in shown_metrics(results, main_metric(results, self.metric)):
                    table = axes_table(results, list(self.study.titles), self.study.titles, metric)
                    tables.append(f'{self.study.headings.get(task, task)}\n\n{table}')
        return '\n'.join(tables)

    def _columns(self, by_task: Dict[str, List[dict]]) -> Dict[str, List[dict]]:
        """Return the columns of a table of differences: the study's tasks, at each point if there are several."""
        columns = {}
        for task, title in self.study.headings.items():
            points = points_of(by_task.get(task, []))
            for point in points:
                heading = f'{title}, {point_text(point)}' if len(points) > 1 else title
                columns[heading] = at_point(by_task[task], point)
        return columns


def _folder(result: dict, setting: Setting, work_dir: Path) -> Path:
    """Return the folder of a result's run, where its predictions may be.

    It is as in the work dir of the runs, which has a folder for each task only where there are several.
    """
    run = Path(result['protocol'], f'seed_{result["seed"]}')
    folders = [work_dir / place.folder / run for place in (setting, Setting('', setting.values))]
    return next((folder for folder in folders if folder.exists()), folders[0])
