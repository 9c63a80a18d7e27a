/** What every relay owes to agents and leader, whatever carries it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../../lib/testing/eventually.ts';
import type { Sessions } from '../publish/sessions.ts';
import type { Switchboard } from '../relay/switchboard.ts';
import { edgePlan, nodeTable, REVALIDATE, RelayAgent, type TestDesk, testDesk } from './relay-agents.ts';

export interface RelayUnderTest {
  /** Of a replica whose agents are served. */
  sessions: Sessions;
  switchboard: Switchboard;
  /** Another leader, of a higher epoch; the first is gone. */
  succeed(desk: TestDesk, epoch: number): Promise<Switchboard>;
  stop(): Promise<void>;
}

export function relayContract(carrier: string, start: (desk: TestDesk) => Promise<RelayUnderTest>): void {
  describe(`a relay ${carrier}`, () => {
    let relay: RelayUnderTest;
    let desk: TestDesk;

    beforeEach(async () => {
      desk = testDesk();
      relay = await start(desk);
      desk.command = (node, uid) => relay.switchboard.command({ role: 'edge', node }, REVALIDATE(uid));
    });
    afterEach(() => relay.stop());

    const agent = (node: string, role: 'edge' | 'dns-server' = 'edge', seq = 0) =>
      new RelayAgent(relay.sessions, role, node, { epoch: seq && 3, seq }).connect();
    const got = (of: RelayAgent, ...lines: string[]) => eventually(() => expect(of.got).toEqual(lines));
    const seen = (...lines: string[]) => eventually(() => expect(desk.seen).toEqual(lines));

    test('lets an agent in: the commands that it missed, then its plan', async () => {
      desk.pending.push('one', 'two');
      relay.switchboard.plan('edge', edgePlan(1));
      await got(agent('a'), 'hello 3', 'command one', 'command two', 'plan 3.1');
      expect(desk.seen).toEqual(['connect a 0.0']);
    });

    test('gives a dns-server the table before the plan, and each that comes', async () => {
      relay.switchboard.plan('dns-server', edgePlan(2));
      relay.switchboard.table(nodeTable(1));
      const dns = agent('dns-1', 'dns-server');
      await got(dns, 'hello 3', 'table 3.1', 'plan 3.2');
      relay.switchboard.table(nodeTable(2));
      await got(dns, 'hello 3', 'table 3.1', 'plan 3.2', 'table 3.2');
    });

    test('refuses whom the leader refuses, with its words', async () => {
      await got(agent('zz'), 'refused 404 no EdgeNode is called zz');
      expect(desk.seen).toEqual([]);
    });

    test('sends plans to one role, one that is not acked at a time, of those that wait the newest', async () => {
      const [edge, dns] = [agent('a'), agent('dns-1', 'dns-server')];
      await got(dns, 'hello 3', 'table 3.0');
      for (const seq of [1, 2, 3]) relay.switchboard.plan('edge', edgePlan(seq));
      await eventually(() => expect(edge.got.length).toBe(2));
      const first = Number(edge.got[1]?.split('.')[1]);
      await edge.ack(first);
      if (first < 3) await eventually(() => expect(edge.got.at(-1)).toBe('plan 3.3'));
      expect(dns.got).toEqual(['hello 3', 'table 3.0']);
    });

    test('sends nothing that an agent holds', async () => {
      relay.switchboard.plan('edge', edgePlan(5));
      const edge = agent('a', 'edge', 5);
      await got(edge, 'hello 3');
      relay.switchboard.plan('edge', edgePlan(6));
      await got(edge, 'hello 3', 'plan 3.6');
    });

    test('sends a command to the one that it is for', async () => {
      const [a, b] = [agent('a'), agent('b')];
      await eventually(() => expect(desk.seen).toHaveLength(2));
      desk.command('b', 'one');
      desk.command('a', 'two');
      desk.command('c', 'three');
      await got(a, 'hello 3', 'command two');
      await got(b, 'hello 3', 'command one');
    });

    test('brings reports in order, with or without a stream', async () => {
      const a = agent('a');
      await got(a, 'hello 3');
      for (const uid of ['1', '2', '3', '4']) await a.done(uid);
      await new RelayAgent(relay.sessions, 'edge', 'b').done('5');
      await a.ack(1);
      await seen('connect a 0.0', 'done a 1', 'done a 2', 'done a 3', 'done a 4', 'done b 5', 'ack a 3.1');
    });

    test('tells of an agent that goes away', async () => {
      const a = agent('a');
      await got(a, 'hello 3');
      a.hangUp();
      await seen('connect a 0.0', 'disconnect a');
    });

    test('takes a newer stream of an agent for the elder, which ends and is no disconnect', async () => {
      const first = agent('a');
      await got(first, 'hello 3');
      const second = agent('a');
      await got(second, 'hello 3');
      await got(first, 'hello 3', 'end');
      await second.done('x');
      await seen('connect a 0.0', 'connect a 0.0', 'done a x');
    });

    test('does not let in who has gone before it was greeted', async () => {
      const a = agent('a');
      a.hangUp();
      const b = agent('b');
      await got(b, 'hello 3');
      expect(desk.seen).toEqual(['connect b 0.0']);
      expect(a.got).toEqual([]);
    });

    test('ends the stream of a node that is no more', async () => {
      const a = agent('a');
      await got(a, 'hello 3');
      relay.switchboard.end({ role: 'edge', node: 'a' });
      await got(a, 'hello 3', 'end');
      await seen('connect a 0.0', 'disconnect a');
    });

    test('tells the next leader of every stream with what its agent holds, and no stream ends', async () => {
      relay.switchboard.plan('edge', edgePlan(1));
      const [a, b] = [agent('a'), agent('b')];
      for (const edge of [a, b]) await got(edge, 'hello 3', 'plan 3.1');
      await a.ack(1);
      await eventually(() => expect(desk.seen).toContain('ack a 3.1'));

      const next = testDesk(4);
      next.pending.push('purge');
      // What the desk says goes to the switchboard that is being made.
      const commands: [string, string][] = [];
      let switchboard: Switchboard | undefined;
      next.command = (node, uid) => {
        if (switchboard) switchboard.command({ role: 'edge', node }, REVALIDATE(uid));
        else commands.push([node, uid]);
      };
      switchboard = await relay.succeed(next, 4);
      for (const [node, uid] of commands) next.command(node, uid);
      await eventually(() => expect([...next.seen].sort()).toEqual(['resume a 3.1', 'resume b 0.0']));
      for (const edge of [a, b]) {
        await eventually(() =>
          expect(edge.got.slice(0, 3)).toEqual(['hello 3', 'plan 3.1', 'command purge']),
        );
      }
      switchboard.plan('edge', edgePlan(1, 4));
      await eventually(() => expect(a.got.at(-1)).toBe('plan 4.1'));
      await b.ack(1);
      await eventually(() => expect(b.got.at(-1)).toBe('plan 4.1'));
      for (const edge of [a, b]) expect(edge.got).not.toContain('end');
    });
  });
}
