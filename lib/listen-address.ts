import { isIP, isIPv6 } from 'node:net';

export interface ListenAddress {
  host: string;
  port: number;
}

/** `127.0.0.1:53` or `[2001:db8::1]:53`: an IP address and a port, never a name. */
export const LISTEN_ADDRESS_PATTERN = /^(\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/;

/** Reads `host:port`; port 0 means any free one. Nothing when it is not an IP address and a port. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, bracketed, digits] = LISTEN_ADDRESS_PATTERN.exec(text) ?? [];
  if (bracketed === undefined || digits === undefined) return undefined;
  const host = bracketed.replace(/^\[|\]$/g, '');
  const port = Number(digits);
  return isIP(host) !== 0 && port <= 65_535 ? { host, port } : undefined;
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}
