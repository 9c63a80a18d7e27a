/** Runs a health check as Argo CD does: a Lua chunk that sees `obj` and returns a table. */
import * as fengari from 'fengari';

export interface Health {
  status: string;
  message: string;
}

export function runHealthCheck(script: string, object: unknown): Health {
  const { lauxlib, lualib, lua, to_luastring } = fengari;
  const state = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(state);
  const code = `
    local function check(obj)
      ${script}
    end
    local health = check(${literal(object)})
    return health.status .. "\\n" .. (health.message or "")`;
  const failed = lauxlib.luaL_dostring(state, to_luastring(code)) !== 0;
  const text = lua.lua_tojsstring(state, -1);
  if (failed) throw new Error(text);
  const [status = '', ...rest] = text.split('\n');
  return { status, message: rest.join('\n') };
}

/** A JSON value as Lua writes it. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(literal).join(', ')}}`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, part]) => `[${literal(key)}] = ${literal(part)}`)
      .join(', ')}}`;
  }
  if (typeof value === 'string')
    return `"${[...Buffer.from(value)].map((byte) => `\\x${hex(byte)}`).join('')}"`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'nil';
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0');
