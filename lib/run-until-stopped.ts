/**
 * Runs a program until it is told to stop: SIGTERM or SIGINT, or a parent that went away (its IPC channel closes).
 * A second signal while it stops ends it at once.
 */
export async function runUntilStopped(start: () => Promise<{ stop(): Promise<void> }>): Promise<void> {
  const told = Promise.withResolvers<void>();
  const stop = () => told.resolve();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
  const running = await start();
  // Without this reference an open channel to the parent would keep nothing alive that wants to end.
  process.channel?.unref();
  await told.promise;
  await running.stop();
}
