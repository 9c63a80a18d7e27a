/**
 * `weir join`: on the machine that is to be an edge or a dns-server. A join token gets it a certificate; the private key
 * is made here and stays here.
 */
import { access, constants, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { joinWith } from '../../agent/credential/bootstrap.ts';
import { isExpired, lifeOf } from '../../agent/credential/credential.ts';
import { credentialFiles, readCredential, writeCredential } from '../../agent/credential/credential-files.ts';
import { type Joined, Refused } from '../../agent/credential/request.ts';
import { operatorsArgument } from '../../agent/options.ts';
import { Whereabouts } from '../../agent/whereabouts.ts';
import { AGENT_FILES } from '../../contract/state-folder.ts';
import { parseJoinToken } from '../../contract/trust/join-token.ts';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { codeFile } from '../../lib/code-files.ts';
import { parseListenAddress } from '../../lib/listen-address.ts';
import { messageOf } from '../../lib/message-of.ts';
import { durationArgument } from '../duration-argument.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { printLines, printValue } from '../print.ts';
import { unitName, unitText } from './unit.ts';

interface JoinOptions {
  operator: string;
  token?: string;
  tokenFile?: string;
  name?: string;
  state: string;
  listen?: string[];
  listenTls?: string[];
  /** Milliseconds. */
  drain?: number;
  admin?: string;
  writeUnit?: string | true;
  output: 'text' | 'json';
}

const UNIT_FOLDER = '/etc/systemd/system';
/** Longer than the usual TTL of a minute, as the chart has it. */
const DRAIN_MS = 75_000;
const DEFAULTS = {
  edge: {
    listen: ['0.0.0.0:80', '[::]:80'],
    listenTls: ['0.0.0.0:443', '[::]:443'],
    admin: '127.0.0.1:8701',
  },
  'dns-server': { listen: ['0.0.0.0:53', '[::]:53'], listenTls: [], admin: '127.0.0.1:8702' },
} as const;

export function joinCommand(program: Command): void {
  program
    .command('join')
    .description('make this machine an edge or a dns-server of an operator elsewhere')
    .addOption(
      new Option('--operator <urls>', 'where the operator is; its replicas separated by commas')
        .argParser(operatorsArgument)
        .makeOptionMandatory(),
    )
    .option('--token <token>', 'what `weir token create` printed; other users of this machine may see it')
    .option('--token-file <file>', 'a file that it lies in')
    .option('--name <name>', 'of a dns-server, where the token leaves it open')
    .option(
      '--state <dir>',
      'folder of the edge or dns-server, for its certificate and all else',
      '/var/lib/weir',
    )
    .addOption(
      new Option('--listen <address>', 'for the unit: where to serve; repeatable').argParser(addresses),
    )
    .addOption(
      new Option('--listen-tls <address>', 'for the unit: where an edge speaks HTTPS; repeatable').argParser(
        addresses,
      ),
    )
    .addOption(
      new Option(
        '--drain <duration>',
        'for the unit: how long an edge serves on after it left DNS, longer than the TTL of its domains (75s)',
      ).argParser(durationArgument),
    )
    .addOption(
      new Option('--admin <address>', 'for the unit: /healthz, /readyz and /metrics').argParser(address),
    )
    .option(
      '--write-unit [file]',
      `write the systemd unit (default: into ${UNIT_FOLDER}) instead of printing it`,
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      `
Examples:
  weir join --operator https://weir.example.net:8700 --token-file /run/weir-token --write-unit
  weir join --operator https://10.0.0.5:8700 --token "$TOKEN" --state ./edge --listen 127.0.2.1:8080 -o json`,
    )
    .action(joinOperator);
}

function address(text: string): string {
  if (parseListenAddress(text)) return text;
  throw new InvalidArgumentError('An IP address and a port, such as 0.0.0.0:80 or [::]:80.');
}

const addresses = (text: string, before: string[] = []) => [...before, address(text)];

async function joinOperator(options: JoinOptions): Promise<void> {
  const state = resolve(options.state);
  const folder = join(state, AGENT_FILES.credential);
  const token = await tokenOf(options);
  await refuseJoined(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Before the token is spent.
  await access(folder, constants.W_OK);
  const joined = await ask(token, options);
  await writeCredential(folder, joined);
  const { role, node } = joined;
  const unit = unitText({
    role,
    node,
    operator: options.operator,
    state,
    listen: options.listen ?? DEFAULTS[role].listen,
    listenTls: options.listenTls ?? DEFAULTS[role].listenTls,
    drainMs: role === 'edge' ? (options.drain ?? DRAIN_MS) : undefined,
    admin: options.admin ?? DEFAULTS[role].admin,
    user: userInfo().username,
    runtime: process.execPath,
    program: codeFile(`${role}/main`),
  });
  const written = options.writeUnit && resolve(unitFile(options.writeUnit, role));
  if (written) await writeFileAtomic(written, unit);
  const until = new Date(lifeOf(joined).until).toISOString();
  const files = credentialFiles(folder);
  if (options.output === 'json') {
    printValue({ role, node, until, files, unit: written ? { file: written } : { text: unit } }, 'json');
  } else {
    printLines(tell({ role, node, until, folder, unit, written: written || undefined }));
  }
}

async function tokenOf({ token, tokenFile }: JoinOptions): Promise<string> {
  if ((token === undefined) === (tokenFile === undefined)) {
    throw new CommandError(EXIT.usage, 'either --token or --token-file is needed');
  }
  const text = token ?? (await readFileIfThere(tokenFile ?? ''));
  if (text === undefined)
    throw new CommandError(EXIT.usage, `--token-file ${tokenFile}: there is no such file`);
  if (parseJoinToken(text)) return text.trim();
  throw new CommandError(
    EXIT.usage,
    'the token is none that `weir token create` printed: it begins with weir1.',
  );
}

/** A token is good once; it should not be spent by a command that was typed twice. */
async function refuseJoined(folder: string): Promise<void> {
  const credential = await readCredential(folder).catch(() => undefined);
  if (!credential || isExpired(credential, Date.now())) return;
  const until = new Date(lifeOf(credential).until).toISOString();
  throw new CommandError(
    EXIT.failed,
    `this machine has joined: its certificate in ${folder} is good until ${until}; to join anew, remove that folder`,
  );
}

async function ask(token: string, { operator, name }: JoinOptions): Promise<Joined> {
  const identity = name === undefined ? {} : { node: name };
  return joinWith(token, { whereabouts: new Whereabouts(operator) }, identity).catch((error: unknown) => {
    const code = error instanceof Refused ? EXIT.failed : EXIT.unreachable;
    throw new CommandError(code, messageOf(error));
  });
}

const unitFile = (given: string | true, role: Joined['role']) =>
  given === true ? join(UNIT_FOLDER, unitName(role)) : given;

interface Told {
  role: Joined['role'];
  node: string;
  until: string;
  folder: string;
  unit: string;
  written: string | undefined;
}

function tell({ role, node, until, folder, unit, written }: Told): string[] {
  const name = unitName(role);
  return [
    `This machine is ${role} ${node}: its certificate in ${folder} is good until ${until}, and renewed by then.`,
    '',
    ...(written
      ? [`The unit is ${written}. Next:`]
      : [`Its unit, for ${join(UNIT_FOLDER, name)}:`, '', ...unit.trimEnd().split('\n'), '', 'Next:']),
    `  systemctl daemon-reload && systemctl enable --now ${name}`,
  ];
}
