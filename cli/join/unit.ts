/** The systemd unit of an agent that joined. Pure. */
import type { Role } from '../../contract/stream/messages.ts';

export interface AgentService {
  role: Role;
  node: string;
  /** As `--operator` has it. */
  operator: string;
  state: string;
  listen: readonly string[];
  /** An edge's, for HTTPS. */
  listenTls: readonly string[];
  /** How long an edge serves on after it left DNS. */
  drainMs: number | undefined;
  admin: string;
  /** Whose files the credential and the state are. */
  user: string;
  /** Absolute paths of Node.js and of the program. */
  runtime: string;
  program: string;
}

export const unitName = (role: Role) => `weir-${role}.service`;

export function unitText(service: AgentService): string {
  const { role, node, operator, state, listen, listenTls, drainMs, admin, user, runtime, program } = service;
  const flags = [
    [role === 'edge' ? '--node' : '--name', node],
    ['--operator', operator],
    ['--state', state],
    ...listen.map((address) => ['--listen', address]),
    ...listenTls.map((address) => ['--listen-tls', address]),
    ['--admin', admin],
    ...(drainMs === undefined ? [] : [['--drain', `${drainMs}ms`]]),
  ].flat();
  return `[Unit]
Description=Weir ${role} ${node}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${[runtime, program, ...flags].map(word).join(' ')}
User=${user}
Restart=always
RestartSec=1
# It ends its connections within ten seconds${drainMs === undefined ? '' : ', after --drain'}.
TimeoutStopSec=${Math.ceil((drainMs ?? 0) / 1000) + 15}
LimitNOFILE=1048576
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths=${word(state)}

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.service(5), "Command lines": quotes for blanks, and % and $ stand for themselves when they are doubled. */
function word(text: string): string {
  const plain = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%$+=:,./[\]-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
