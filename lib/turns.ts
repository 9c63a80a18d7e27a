/** Steps that wait for something run one after the other, in the order in which they came. */
export class Turns {
  #queue: Promise<void> = Promise.resolve();

  /** Resolves, or rejects, as the step does; one that fails holds up no other. */
  take<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** Resolves when all that came so far is done. */
  idle(): Promise<void> {
    return this.#queue;
  }
}
