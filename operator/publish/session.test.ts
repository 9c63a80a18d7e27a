/** What one agent is sent: at most one plan that it has not judged, and of those that wait the newest only. */
import { describe, expect, test } from 'vitest';
import type { PublishedEdgePlan } from '../../contract/plans/published-plan.ts';
import { type ContractVersion, streamMessage } from '../../contract/stream/messages.ts';
import { FakeClock } from '../../lib/clock.ts';
import { PlanLines } from './plan-lines.ts';
import { SecretLines } from './secret-lines.ts';
import { Session } from './session.ts';
import { WholePlans } from './whole-plans.ts';

const at = (seq: number) => ({ epoch: 1, seq });
const plan = (seq: number): PublishedEdgePlan => ({
  revision: at(seq),
  digest: String(seq).padEnd(64, '.'),
  run: 'run-1',
  plan: { domains: [] },
});

function session(held: number, contract: ContractVersion = 1) {
  const sent: (number | string)[] = [];
  const write = (line: string | Uint8Array) => {
    const message = streamMessage.parse(JSON.parse(Buffer.from(line).toString()));
    if (message.type === 'plan') sent.push((message.published as PublishedEdgePlan).revision.seq);
    if (message.type === 'delta') sent.push(`${message.delta.revision.seq} after ${message.delta.base[0]}`);
  };
  const agent = { held: at(held), digest: plan(held).digest, run: 'run-1', contract };
  const wire = { write, end: () => {} };
  const out = {
    plans: new PlanLines(),
    secrets: new SecretLines(),
    wholePlans: new WholePlans(new FakeClock()),
  };
  return { session: new Session({ role: 'edge', node: 'a' }, agent, out, wire), sent };
}

describe('a session', () => {
  test('sends nothing that the agent holds', () => {
    const { session: agent, sent } = session(4);
    agent.offer(plan(4));
    expect(sent).toEqual([]);
  });

  test('holds back what comes before the verdict, and then sends the newest of it', () => {
    const { session: agent, sent } = session(0);
    for (const seq of [1, 2, 3, 4]) agent.offer(plan(seq));
    expect(sent).toEqual([1]);
    agent.judged({ type: 'ack', revision: at(1) });
    expect(sent).toEqual([1, 4]);
    agent.judged({ type: 'ack', revision: at(4) });
    agent.offer(plan(4));
    expect(sent).toEqual([1, 4]);
  });

  test('is not led astray by a verdict on an older plan', () => {
    const { session: agent, sent } = session(0);
    for (const seq of [2, 3]) agent.offer(plan(seq));
    agent.judged({ type: 'ack', revision: at(1) });
    expect(sent).toEqual([2]);
  });

  test('sends a plan again that the agent’s machine could not take, until a newer one comes', () => {
    const { session: agent, sent } = session(0);
    agent.offer(plan(1));
    agent.judged({ type: 'nack', revision: at(1), fault: 'Local', message: 'disk full' });
    expect(sent).toEqual([1]);
    agent.retry();
    agent.retry();
    expect(sent).toEqual([1, 1]);
    agent.offer(plan(2));
    agent.judged({ type: 'nack', revision: at(1), fault: 'Local', message: 'disk full' });
    agent.judged({ type: 'ack', revision: at(2) });
    agent.retry();
    expect(sent).toEqual([1, 1, 2]);
  });

  test('does not send a plan again whose content the agent refused', () => {
    const { session: agent, sent } = session(0);
    agent.offer(plan(1));
    agent.judged({ type: 'nack', revision: at(1), fault: 'Invalid', message: 'no' });
    agent.retry();
    expect(sent).toEqual([1]);
  });

  test('sends what differs to an agent that takes that and holds a plan that is known', () => {
    const { session: agent, sent } = session(4, 2);
    agent.offer(plan(5));
    agent.judged({ type: 'ack', revision: at(5) });
    agent.offer(plan(6));
    agent.judged({ type: 'ack', revision: at(6) });
    expect(sent).toEqual([5, '6 after 5']);
  });

  test('sends the whole plan to an agent for which the difference does not fit', () => {
    const { session: agent, sent } = session(0, 2);
    agent.offer(plan(1));
    agent.judged({ type: 'ack', revision: at(1) });
    agent.offer(plan(2));
    agent.judged({ type: 'unmatched', revision: at(2) });
    agent.judged({ type: 'ack', revision: at(2) });
    agent.offer(plan(3));
    expect(sent).toEqual([1, '2 after 1', 2, '3 after 2']);
  });
});
