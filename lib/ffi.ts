/** `node:ffi`. Importing it prints that it is experimental, which whoever runs the server can do nothing about. */
export async function importFfi(): Promise<typeof import('node:ffi')> {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => {};
  try {
    return await import('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
