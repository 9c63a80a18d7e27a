/** What one change of ten thousand certificates costs on the streams, and what an agent that comes back costs. */
import { describe, expect, test } from 'vitest';
import { type AgentSecret, secretDigest } from '../../contract/stream/agent-secret.ts';
import { type SecretsMessage, streamMessage } from '../../contract/stream/messages.ts';
import { NO_SECRETS, SecretLines, secretSet } from './secret-lines.ts';

const secret = (name: string, value = name): AgentSecret => ({ name, value, digest: secretDigest(value) });
const many = Array.from({ length: 10_000 }, (_, index) => secret(`certificate.${index}.json`));
const read = (lines: readonly Buffer[]) =>
  lines.map((line) => streamMessage.parse(JSON.parse(line.toString())) as SecretsMessage);

describe('lines of secrets', () => {
  test('one of ten thousand that changed is one value, made once for all who have the rest', () => {
    const out = new SecretLines();
    const [before, after] = [
      secretSet(many),
      secretSet([secret('certificate.7.json', 'new'), ...many.slice(0, 7), ...many.slice(8)]),
    ];
    out.linesFor(before, NO_SECRETS.digest);
    const lines = out.linesFor(after, before.digest);
    expect(read(lines)).toEqual([
      {
        type: 'secrets',
        base: before.digest,
        set: [secret('certificate.7.json', 'new')],
        gone: [],
        digest: after.digest,
      },
    ]);
    expect(Buffer.concat(lines).length).toBeLessThan(500);
    expect(out.linesFor(after, before.digest)).toBe(lines);
  });

  test('who has them already is sent nothing', () => {
    const set = secretSet(many);
    expect(new SecretLines().linesFor(set, secretSet([...many].reverse()).digest)).toEqual([]);
    expect(new SecretLines().linesFor(NO_SECRETS, NO_SECRETS.digest)).toEqual([]);
  });

  test('who has none gets all of them, in lines that a peer can read whole; only the last one ends the change', () => {
    const set = secretSet(many);
    const messages = read(new SecretLines().linesFor(set, NO_SECRETS.digest));
    expect(messages).toHaveLength(50);
    expect(messages.flatMap((message) => message.set)).toHaveLength(10_000);
    expect(messages.map(({ digest }) => digest)).toEqual([...Array(49).fill(undefined), set.digest]);
  });

  test('whoever has what nobody here knows any more starts from nothing', () => {
    const [message] = read(new SecretLines().linesFor(secretSet([secret('a')]), secretDigest('something')));
    expect(message).not.toHaveProperty('base');
    expect(message?.set).toHaveLength(1);
  });

  test('what is to go is named', () => {
    const out = new SecretLines();
    const before = secretSet([secret('a'), secret('b')]);
    out.linesFor(before, NO_SECRETS.digest);
    expect(read(out.linesFor(secretSet([secret('b')]), before.digest))).toMatchObject([
      { set: [], gone: ['a'] },
    ]);
  });
});
