/** What is measured, and what it should come to. */
import { gdnsd, gdnsdTwoThreads, knot, onlinesign, pdns } from './peers.ts';
import { bare, type Server } from './server.ts';
import { weir } from './weir.ts';

export interface Case {
  name: string;
  domains: number;
  ecs: boolean;
  signed: boolean;
  /** Each query has a cookie that the server gave before, as a resolver's have. */
  cookies: boolean;
  transport: 'udp' | 'tcp';
  servers: Server[];
}

const batches = weir('weir batches', ['--batch', 'on', '--workers', '1']);
const twoWorkers = weir('weir two workers', ['--batch', 'on', '--workers', '2']);
const dgram = weir('weir dgram', ['--batch', 'off']);
const bareBatches = bare('bare batches', 'bare-batches.ts');
const bareDgram = bare('bare dgram', 'bare-dgram.ts');

const peers = [gdnsd, knot, pdns];
const usual = { domains: 1_000, ecs: true, signed: false, cookies: false, transport: 'udp' } as const;

export const CASES: Case[] = [
  {
    ...usual,
    name: 'ecs',
    servers: [...peers, gdnsdTwoThreads, batches, twoWorkers, dgram, bareBatches, bareDgram],
  },
  { ...usual, name: 'plain', ecs: false, servers: [...peers, batches, dgram] },
  { ...usual, name: 'cookies', cookies: true, servers: [gdnsd, knot, batches, twoWorkers, dgram] },
  { ...usual, name: 'many', domains: 100_000, servers: [gdnsd, batches, dgram] },
  { ...usual, name: 'tcp', transport: 'tcp', servers: [...peers, batches] },
  { ...usual, name: 'signed', signed: true, servers: [onlinesign, batches, dgram] },
];

/** A case and a server in it: `ecs, gdnsd`. */
export type Cell = `${string}, ${string}`;

/** CPU per query of the one over that of the other, at most. */
export interface Target {
  what: string;
  of: Cell;
  over: Cell;
  atMost: number;
}

export const TARGETS: Target[] = [
  { what: 'ECS, batches / gdnsd', of: 'ecs, weir batches', over: 'ecs, gdnsd', atMost: 1 },
  { what: 'ECS, batches / PowerDNS', of: 'ecs, weir batches', over: 'ecs, pdns', atMost: 1 / 3 },
  { what: 'ECS, dgram / gdnsd', of: 'ecs, weir dgram', over: 'ecs, gdnsd', atMost: 1.8 },
  { what: '  the floor of dgram', of: 'ecs, bare dgram', over: 'ecs, gdnsd', atMost: Number.NaN },
  { what: '  the floor of batches', of: 'ecs, bare batches', over: 'ecs, gdnsd', atMost: Number.NaN },
  { what: 'two workers / one', of: 'ecs, weir two workers', over: 'ecs, weir batches', atMost: 1.15 },
  { what: '  the same, gdnsd', of: 'ecs, gdnsd two threads', over: 'ecs, gdnsd', atMost: Number.NaN },
  { what: 'cookies, batches / gdnsd', of: 'cookies, weir batches', over: 'cookies, gdnsd', atMost: 1 },
  {
    what: 'cookies / none, batches',
    of: 'cookies, weir batches',
    over: 'ecs, weir batches',
    atMost: Number.NaN,
  },
  { what: '  the same, gdnsd', of: 'cookies, gdnsd', over: 'ecs, gdnsd', atMost: Number.NaN },
  { what: '100,000 domains / 1,000', of: 'many, weir batches', over: 'ecs, weir batches', atMost: 1.2 },
  { what: '  the same, gdnsd', of: 'many, gdnsd', over: 'ecs, gdnsd', atMost: Number.NaN },
  {
    what: 'signed / Knot onlinesign',
    of: 'signed, weir batches',
    over: 'signed, knot onlinesign',
    atMost: 0.3,
  },
];
