/** What a caught value says: anything may be thrown, and some errors say nothing but their name. */
export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message || error.name : String(error);
