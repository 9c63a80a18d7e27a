/** What a person does from outside, with dig and curl. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const DNS_ADDRESS = '10.1.0.53';

/** A client network of each region, known to the embedded geo data. */
export const CLIENTS = { zhengzhou: '202.102.224.0/24', beijing: '202.106.0.0/24', california: '8.8.8.0/24' };

/** Addresses, sorted; none where it answers none. Throws when nobody answers. */
export async function dig(name: string, subnet: string): Promise<string[]> {
  const flags = ['+short', '+tries=1', '+timeout=2', `+subnet=${subnet}`];
  const { stdout } = await run('dig', [...flags, `@${DNS_ADDRESS}`, name, 'A']);
  return stdout.split('\n').filter(Boolean).sort();
}

export interface Page {
  status: string;
  cacheStatus: string;
  body: string;
}

export async function curl(address: string, path: string, port = 80): Promise<Page> {
  const there = `video.example.com:${port}:${address}`;
  const format = '\n%{http_code}\n%header{cache-status}';
  const flags = ['-s', '--max-time', '5', '--resolve', there, '-w', format];
  const { stdout } = await run('curl', [...flags, `http://video.example.com:${port}${path}`]);
  const lines = stdout.split('\n');
  const [status = '', cacheStatus = ''] = lines.splice(-2);
  return { status, cacheStatus, body: lines.join('\n') };
}
