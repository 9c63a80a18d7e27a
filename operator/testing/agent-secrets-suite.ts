/** What every store of secrets has to do; `open` gives the same store again, as another process would see it. */
import { describe, expect, test, vi } from 'vitest';
import { type AgentSecrets, OtherValue, type SecretValues } from '../secrets/agent-secrets.ts';

interface Opened {
  secrets: AgentSecrets;
  /** As people ask for one: by the command, or by kubectl. */
  askForRollover: (zone: string) => Promise<void>;
}

const SOON = { timeout: 10_000, interval: 20 };

export function describeAgentSecrets(name: string, open: () => Opened): void {
  describe(name, () => {
    test('there is nothing at first; what is written is there for everybody', async () => {
      const { secrets } = open();
      expect([...(await secrets.read())]).toEqual([]);
      await secrets.write('a', 'one\n', undefined);
      await secrets.write('b.example.keys.json', 'zwei – 2', undefined);
      expect(Object.fromEntries(await open().secrets.read())).toEqual({
        a: 'one\n',
        'b.example.keys.json': 'zwei – 2',
      });
    });

    test('a value is replaced by who has read it, and by nobody else', async () => {
      const { secrets } = open();
      await secrets.write('a', 'one', undefined);
      await secrets.write('a', 'two', 'one');
      await expect(open().secrets.write('a', 'three', 'one')).rejects.toThrow(OtherValue);
      await expect(open().secrets.write('a', 'three', undefined)).rejects.toThrow(OtherValue);
      expect((await secrets.read()).get('a')).toBe('two');
    });

    test('who follows is handed all of them, at first and when they change', async () => {
      const { secrets } = open();
      await secrets.write('a', 'one', undefined);
      const seen: SecretValues[] = [];
      const stop = open().secrets.follow((values) => void seen.push(values));
      await vi.waitFor(() => expect(Object.fromEntries(seen.at(-1) ?? [])).toEqual({ a: 'one' }), SOON);
      await secrets.write('b', 'two', undefined);
      await vi.waitFor(
        () => expect(Object.fromEntries(seen.at(-1) ?? [])).toEqual({ a: 'one', b: 'two' }),
        SOON,
      );
      await stop();
    });

    test('a rollover is asked for once', async () => {
      const { secrets, askForRollover } = open();
      await secrets.write('a', 'one', undefined);
      expect(await secrets.rolloversAsked()).toEqual([]);
      await askForRollover('cdn.example.net');
      await askForRollover('other.example');
      expect((await open().secrets.rolloversAsked()).sort()).toEqual(['cdn.example.net', 'other.example']);
      await open().secrets.rolloverBegun('cdn.example.net');
      expect(await open().secrets.rolloversAsked()).toEqual(['other.example']);
      expect(Object.fromEntries(await open().secrets.read())).toEqual({ a: 'one' });
    });
  });
}
