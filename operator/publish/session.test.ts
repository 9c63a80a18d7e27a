/** What one agent is sent: at most one plan that it has not judged, and of those that wait the newest only. */
import { describe, expect, test } from 'vitest';
import type { PublishedEdgePlan } from '../../contract/plans/published-plan.ts';
import type { StreamMessage } from '../../contract/stream/messages.ts';
import { Session } from './session.ts';

const at = (seq: number) => ({ epoch: 1, seq });
const plan = (seq: number): PublishedEdgePlan => ({
  revision: at(seq),
  digest: '',
  run: '',
  plan: { domains: [] },
});

function session(held: number) {
  const sent: number[] = [];
  const send = (message: StreamMessage) => {
    if (message.type === 'plan') sent.push((message.published as PublishedEdgePlan).revision.seq);
  };
  const wire = { send, end: () => {} };
  return { session: new Session({ role: 'edge', node: 'a' }, { held: at(held), run: '' }, wire), sent };
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
});
