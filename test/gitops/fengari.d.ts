/** As much of Lua's C API as the test calls. */
declare module 'fengari' {
  type State = { readonly lua: unique symbol };
  export const lauxlib: {
    luaL_newstate(): State;
    /** Not zero where it failed; then the message is on top of the stack. */
    luaL_dostring(state: State, code: Uint8Array): number;
  };
  export const lualib: { luaL_openlibs(state: State): void };
  export const lua: { lua_tojsstring(state: State, index: number): string };
  export function to_luastring(text: string): Uint8Array;
}
