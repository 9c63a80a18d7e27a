/** What one agent is sent: at most one plan that it has not judged, and of those that wait the newest only. */
import { describe, expect, test } from 'vitest';
import type { PublishedEdgePlan } from '../../contract/plans/published-plan.ts';
import { secretDigest } from '../../contract/stream/agent-secret.ts';
import { type ContractVersion, streamMessage } from '../../contract/stream/messages.ts';
import { FakeClock } from '../../lib/clock.ts';
import { LargeSends } from './large-sends.ts';
import { PlanLines } from './plan-lines.ts';
import { SecretLines, secretSet } from './secret-lines.ts';
import { Session } from './session.ts';

const at = (seq: number) => ({ epoch: 1, seq });
const plan = (seq: number): PublishedEdgePlan => ({
  revision: at(seq),
  digest: String(seq).padEnd(64, '.'),
  run: 'run-1',
  plan: { domains: [] },
});

const SIZE = 2 ** 20;
const certificates = (seq: number, size = SIZE) => {
  const value = String(seq).padEnd(size, '.');
  return secretSet([{ name: `certificate.${seq}`, digest: secretDigest(value), value }]);
};

function session(held: number, contract: ContractVersion = 1, largeSends = new LargeSends(new FakeClock())) {
  const sent: (number | string)[] = [];
  const left: (() => void)[] = [];
  const write = (line: string | Uint8Array, hasLeft?: () => void) => {
    if (hasLeft) left.push(hasLeft);
    const message = streamMessage.parse(JSON.parse(Buffer.from(line).toString()));
    if (message.type === 'plan') sent.push((message.published as PublishedEdgePlan).revision.seq);
    if (message.type === 'delta') sent.push(`${message.delta.revision.seq} after ${message.delta.base[0]}`);
    if (message.type === 'secrets') sent.push(message.set.map(({ name }) => name).join());
  };
  const agent = { held: at(held), digest: plan(held).digest, run: 'run-1', contract };
  const wire = { write, end: () => {} };
  const out = {
    plans: new PlanLines(),
    secrets: new SecretLines(),
    largeSends,
  };
  return { session: new Session({ role: 'edge', node: 'a' }, agent, out, wire), sent, left };
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

/** One that holds plan 1, so that the next ones are small. */
function settled(turns: LargeSends) {
  const made = session(0, 2, turns);
  made.session.offer(plan(1));
  made.left.splice(0)[0]?.();
  made.session.judged({ type: 'ack', revision: at(1) });
  made.sent.splice(0);
  return made;
}

describe('many certificates', () => {
  test('go to a few agents at a time, and each plan behind those that it may need', () => {
    const turns = new LargeSends(new FakeClock(), 2 * SIZE);
    const agents = [1, 2, 3, 4].map(() => settled(turns));
    for (const { session: agent } of agents) {
      agent.offerSecrets(certificates(1));
      agent.offer(plan(2));
    }
    const both = ['certificate.1', '2 after 1'];
    expect(agents.map(({ sent }) => sent)).toEqual([both, both, [], []]);
    agents[1]?.left[0]?.();
    expect(agents.map(({ sent }) => sent)).toEqual([both, both, both, []]);
    // One that goes away makes room.
    agents[0]?.session.closed();
    expect(agents[3]?.sent).toEqual(both);
  });

  test('of those that wait the newest go out, with the newest plan; what is small waits for nobody', () => {
    const turns = new LargeSends(new FakeClock(), 1);
    const [before, { session: agent, sent }, other] = [settled(turns), settled(turns), settled(turns)];
    before.session.offerSecrets(certificates(1));
    for (const seq of [2, 3, 4]) {
      agent.offerSecrets(certificates(seq));
      agent.offer(plan(seq));
    }
    other.session.offerSecrets(certificates(5, 10_000));
    other.session.offer(plan(5));
    expect([sent, other.sent]).toEqual([[], ['certificate.5', '5 after 1']]);
    before.left[0]?.();
    expect(sent).toEqual(['certificate.4', '4 after 1']);
  });

  test('a plan that waits for its own turn does not bring a newer one before its certificates', () => {
    const turns = new LargeSends(new FakeClock(), 1);
    const before = settled(turns);
    const { session: agent, sent, left } = session(0, 2, turns);
    before.session.offerSecrets(certificates(1));
    agent.offer(plan(1));
    agent.offerSecrets(certificates(2));
    agent.offer(plan(2));
    before.left[0]?.();
    expect(sent).toEqual([1]);
    left[0]?.();
    expect(sent).toEqual([1, 'certificate.2']);
    agent.judged({ type: 'ack', revision: at(1) });
    expect(sent).toEqual([1, 'certificate.2', '2 after 1']);
  });
});
