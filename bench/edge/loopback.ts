/**
 * A loopback where TCP does not pace. BBR, which some machines have as their default, sends a large body bit by bit from
 * timers, and Linux charges those to whoever runs when they go off: on one machine 10 MB cost nginx 1.3 to 1.5 ms, and an edge
 * 2.2 to 2.5, where without pacing both cost 0.6 to 0.7.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const CONTROL = '/proc/sys/net/ipv4/tcp_congestion_control';
/** Reno is allowed in every namespace, cubic where it is or was the default; with no loss they are alike. */
const EVEN = `ip link set lo up && { echo cubic >${CONTROL} || echo reno >${CONTROL}; } 2>/dev/null`;

/** What is to be said of the network. Where this machine paces, the program begins anew in a namespace that does not. */
export function onEvenLoopback(program: string): string {
  const control = readFileSync(CONTROL, 'utf8').trim();
  if (control !== 'bbr') return `congestion control: ${control}`;
  const inNamespace = (script: string, args: string[] = []) => {
    const own = process.getuid?.() === 0 ? '-n' : '-rn';
    return spawnSync('unshare', [own, 'sh', '-c', script, 'sh', ...args], { stdio: 'inherit' }).status;
  };
  if (inNamespace(EVEN) === 0) {
    const command = [process.execPath, ...process.execArgv, program, ...process.argv.slice(2)];
    process.exit(inNamespace(`${EVEN}; exec "$@"`, command) ?? 1);
  }
  return 'congestion control: bbr, for want of a network namespace; it paces, and what large bodies cost is chance';
}
