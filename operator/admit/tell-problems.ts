/** Problems of manifests in the log: each once, for as long as it stands. */
import { formatProblem, type Problem } from '../../contract/problem.ts';
import type { Log } from '../../lib/log.ts';

export function tellProblems(problems: readonly Problem[], before: readonly Problem[], log: Log): void {
  const known = new Set(before.map(formatProblem));
  for (const problem of problems) {
    const text = formatProblem(problem);
    if (!known.has(text)) log.error({ problem }, text);
  }
  if (known.size > 0 && problems.length === 0) log.info('all manifests are in order again');
}
