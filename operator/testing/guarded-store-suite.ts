/** What every guarded store has to do; `open` gives the same store again, as another replica would see it. */
import { describe, expect, test } from 'vitest';
import { type GuardedStore, Stale, update } from '../trust/guarded-store.ts';

export function describeGuardedStore(name: string, open: () => GuardedStore<string[]>): void {
  describe(name, () => {
    test('has nothing at first, and then what was written, for everybody', async () => {
      const store = open();
      expect(await store.read()).toEqual({ value: undefined, version: undefined });
      const written = await store.write(['a', 'zwei – 2'], undefined);
      expect(await open().read()).toEqual(written);
      expect(written.value).toEqual(['a', 'zwei – 2']);
    });

    test('lets through who replaces the newest, and nobody else', async () => {
      const [store, other] = [open(), open()];
      const first = await store.write(['one'], undefined);
      await expect(other.write(['two'], undefined)).rejects.toThrow(Stale);
      const second = await other.write(['two'], first.version);
      await expect(store.write(['three'], first.version)).rejects.toThrow(Stale);
      expect(await store.read()).toEqual(second);
    });

    test('makes of many who come at once one after the other', async () => {
      const names = Array.from({ length: 10 }, (_, index) => `replica-${index}`);
      const stores = names.map(() => open());
      await Promise.all(
        stores.map((store, index) => update(store, (value = []) => [...value, names[index] ?? ''])),
      );
      expect((await open().read()).value?.sort()).toEqual(names);
    });

    test('is not written to by a change that changes nothing', async () => {
      const store = open();
      const before = await store.write(['one'], undefined);
      expect(await update(open(), () => undefined)).toEqual(before);
    });
  });
}
