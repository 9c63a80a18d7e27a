/** `weir compile DIR`: the plans that a folder makes, by the function that the operator and the golden files use. */
import { type Command, Option } from 'commander';
import { formatProblem } from '../contract/problem.ts';
import { admit } from '../operator/admit/admit.ts';
import { NOTHING_ACCEPTED } from '../operator/admit/snapshot.ts';
import { compile } from '../operator/compile/compile.ts';
import { EXIT } from './exit-codes.ts';
import { printValue } from './print.ts';
import { readDocuments } from './read-documents.ts';

export function compileCommand(program: Command): void {
  program
    .command('compile')
    .argument('<dir>', 'folder of manifests, with weir.yaml at its root')
    .description(
      'print the routing plan and the edge plan of a folder; problems go to standard error, exit code 1',
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addHelpText(
      'after',
      `
Examples:
  weir compile examples/quickstart
  weir compile examples/quickstart -o json`,
    )
    .action(compileFolder);
}

async function compileFolder(folder: string, { output }: { output: 'yaml' | 'json' }): Promise<void> {
  const { config, snapshot, problems } = admit(await readDocuments(folder), NOTHING_ACCEPTED);
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  if (config) printValue(compile(snapshot, config), output);
  if (problems.length > 0) process.exitCode = EXIT.failed;
}
