/**
 * A pure function of an object that is asked again for the same ones, as of ten thousand resources of which one changed:
 * each is worked out once. Only for values that nobody changes. Holds none that is not held elsewhere.
 */
export function memo<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    const known = made.get(key);
    // The value itself, in no object of its own: there are a hundred thousand of them.
    if (known !== undefined || made.has(key)) return known as V;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

/** The same of two objects; of the second only the last one is remembered, such as the settings in force. */
export function memoWith<K extends object, W, V>(make: (key: K, around: W) => V): (key: K, around: W) => V {
  const made = new WeakMap<K, { around: W; value: V }>();
  return (key, around) => {
    const known = made.get(key);
    if (known && known.around === around) return known.value;
    const value = make(key, around);
    made.set(key, { around, value });
    return value;
  };
}
