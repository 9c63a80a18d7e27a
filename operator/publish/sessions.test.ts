/** A replica's streams, with a link to the leader that may say nothing. */
import { expect, test } from 'vitest';
import { FakeClock } from '../../lib/clock.ts';
import { RelayAgent } from '../testing/relay-agents.ts';
import { Sessions } from './sessions.ts';

test('an agent that no leader greets is sent away after 5 s, and a leader that heard it meanwhile knows', () => {
  const clock = new FakeClock();
  const sessions = new Sessions(clock);
  const told: string[] = [];
  sessions.follow({
    connect: ({ session }) => void told.push(`connect ${session}`),
    disconnect: (session, { node }) => void told.push(`disconnect ${session} ${node}`),
    report: async () => {},
  });
  const agent = new RelayAgent(sessions, 'edge', 'a').connect();
  const [session] = sessions.ids();
  clock.advance(4_999);
  expect([agent.got, told]).toEqual([[], [`connect ${session}`]]);
  clock.advance(1);
  expect(agent.got).toEqual(['refused 503 no leader answers']);
  expect(told).toEqual([`connect ${session}`, `disconnect ${session} a`]);
  // Too late: nobody is there.
  sessions.greet(session ?? '', 3);
  expect([agent.got.length, sessions.size]).toEqual([1, 0]);
});
