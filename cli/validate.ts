/** `weir validate DIR`: everything that is wrong with a folder, before it is put in force. */
import { type Command, Option } from 'commander';
import { formatProblem } from '../contract/problem.ts';
import { admit } from '../operator/admit/admit.ts';
import { type Admission, NOTHING_ACCEPTED } from '../operator/admit/snapshot.ts';
import { EXIT } from './exit-codes.ts';
import { printLines, printValue } from './print.ts';
import { readDocuments } from './read-documents.ts';

export function validateCommand(program: Command): void {
  program
    .command('validate')
    .argument('<dir>', 'folder of manifests, with weir.yaml at its root')
    .description('print all problems of a folder; exits with 1 when there are any')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      `
Examples:
  weir validate examples/quickstart
  weir validate examples/quickstart -o json`,
    )
    .action(validate);
}

async function validate(folder: string, { output }: { output: 'text' | 'json' }): Promise<void> {
  const admission = admit(await readDocuments(folder), NOTHING_ACCEPTED);
  const { problems } = admission;
  if (output === 'json') printValue({ ok: problems.length === 0, problems }, 'json');
  else if (problems.length > 0) printLines(problems.map(formatProblem));
  else printLines([countLine(admission)]);
  if (problems.length > 0) process.exitCode = EXIT.failed;
}

function countLine({ snapshot: { domains, nodes, jobs, certificates } }: Admission): string {
  const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
  const counts = [
    count(domains.length, 'domain'),
    count(nodes.length, 'node'),
    count(jobs.length, 'job'),
    count(certificates.length, 'certificate'),
  ];
  return `ok: ${counts.join(', ')}`;
}
