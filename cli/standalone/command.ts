/**
 * `weir standalone DIR`: the same programs that a cluster runs, as child processes on this machine.
 *
 *     folder ──admit──> installation ──programs──> table ──check──> supervisor ──> children
 *                             ^                                          │
 *                             └── follow: what the operator says is in force ──┘
 */
import type { Command } from 'commander';
import type { WeirConfig } from '../../contract/config/weir-config.ts';
import { formatProblem } from '../../contract/problem.ts';
import { DEFAULT_STATE_FOLDER, type StateFolder, stateFolder } from '../../contract/state-folder.ts';
import { writeFileAtomic } from '../../lib/atomic-file.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type OperatorClient, operatorClient } from '../installation/operator-client.ts';
import { viewsOf } from '../resource-views.ts';
import { checkPlaces } from './check-places.ts';
import { followInstallation } from './follow.ts';
import { readInstallation } from './installation.ts';
import { childLogging, supervisorLog } from './log.ts';
import { type Installation, type Program, programs } from './programs.ts';
import { answersReady, notYetReady, until } from './ready.ts';
import { keepSampleCertificate } from './sample-certificate.ts';
import { untilTold } from './stop.ts';
import { Supervisor } from './supervisor.ts';
import { welcomeText } from './welcome.ts';

/** A stage that needs longer holds up the next one no more: every program can start alone. */
const STAGE_WITHIN_MS = 10_000;
/** Ports that are in use are looked at again for so long. */
const PLACES_WITHIN_MS = 3_000;
/** What is not ready by then is printed as it is; it goes on becoming ready. */
const READY_WITHIN_MS = 30_000;

interface StandaloneOptions {
  state: string;
  verbose?: boolean;
}

export function standaloneCommand(program: Command): void {
  program
    .command('standalone')
    .argument('<dir>', 'folder of manifests, with weir.yaml at its root')
    .description('run an operator, a dns-server and the edges of a folder on this machine, until Ctrl-C')
    .option('--state <dir>', 'where plans, caches and status are kept', DEFAULT_STATE_FOLDER)
    .option('--verbose', 'show all that the programs log, not only warnings, on a terminal')
    .addHelpText(
      'after',
      `
Examples:
  weir standalone examples/quickstart
  weir standalone examples/single-node --state .weir/single-node --verbose`,
    )
    .action(standalone);
}

async function standalone(folder: string, { state, verbose = false }: StandaloneOptions): Promise<void> {
  const log = supervisorLog();
  const installation = await start(folder, state, log);
  const operator = clientByAddress(installation.state);
  const supervisor = new Supervisor({ log, ...childLogging(verbose) });
  const stopped = untilTold(log, () => supervisor.kill());

  await startInOrder(supervisor, programs(installation), { log, signal: stopped.signal });
  const stopFollowing = followInstallation({
    installation,
    operator,
    clock: systemClock,
    log,
    onChange: (changed) => supervisor.follow(programs(changed)),
  });
  await welcome({ folder, state, installation, signal: stopped.signal }, operator(installation.config));
  await stopped.wait;
  stopFollowing();
  await supervisor.stop();
  log.info('all stopped');
}

/** The settings may move the operator; asked every second, so one client for as long as it stays. */
function clientByAddress(state: StateFolder): (config: WeirConfig) => OperatorClient {
  let client: { url: string; asks: OperatorClient } | undefined;
  return ({ listen }) => {
    const url = `https://${listen.operator}`;
    if (client?.url !== url) client = { url, asks: operatorClient(url, state) };
    return client.asks;
  };
}

/** What is to run, once nothing stands in its way. */
async function start(folder: string, state: string, log: Log): Promise<Installation> {
  const { installation, problems, elsewhere } = await readInstallation(folder, stateFolder(state), log);
  // Problems of single manifests are the operator's to tell, now and later.
  if (!installation) throw new CommandError(EXIT.failed, problems.map(formatProblem).join('\n'));
  await refuseTakenPlaces(installation);
  await keepSampleCertificate(installation, Date.now());
  await writeFileAtomic(installation.state.folder, `${installation.folder}\n`);
  for (const name of elsewhere) {
    log.warn(`EdgeNode ${name} is not started: its first address is not on this machine`);
  }
  return installation;
}

async function refuseTakenPlaces(installation: Installation): Promise<void> {
  const table = programs(installation);
  let faults = await checkPlaces(table);
  await until(async () => {
    faults = await checkPlaces(table);
    return faults.lines.length === 0 || !faults.mayPass;
  }, AbortSignal.timeout(PLACES_WITHIN_MS));
  if (faults.lines.length > 0) throw new CommandError(EXIT.failed, faults.lines.join('\n'));
}

async function startInOrder(
  supervisor: Supervisor,
  table: readonly Program[],
  { log, signal }: { log: Log; signal: AbortSignal },
): Promise<void> {
  for (const stage of [0, 1, 2]) {
    if (signal.aborted) return;
    supervisor.follow(table.filter((program) => program.stage <= stage));
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(STAGE_WITHIN_MS)]);
    const started = table.filter((program) => program.stage === stage);
    await Promise.all(
      started.map(async (program) => {
        const ready = await until(() => answersReady(program), deadline);
        if (ready) log.info(`${program.name} is ready`);
        else if (!signal.aborted) log.error(`${program.name} is not ready yet`);
      }),
    );
  }
}

interface WelcomeInput {
  folder: string;
  state: string;
  installation: Installation;
  signal: AbortSignal;
}

async function welcome(
  { folder, state, installation, signal }: WelcomeInput,
  operator: OperatorClient,
): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(READY_WITHIN_MS)]);
  await until(async () => (await notYetReady(operator, installation.edges))?.length === 0, deadline);
  if (signal.aborted) return;
  const { resources } = await operator.resources().catch(() => ({ resources: [] }));
  const domains = viewsOf(resources, 'CdnDomain');
  process.stdout.write(welcomeText({ installation, folder, state, domains }));
}
