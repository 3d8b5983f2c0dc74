import { type JsonObject, listAt } from './json.ts';
import { CAPTURE, CORE_DUMP, PROXY, VALIDATION } from './pod.ts';

function moved(list: readonly JsonObject[], name: string, where: 'first' | 'last'): readonly JsonObject[] {
  const found = list.filter((one) => one['name'] === name);
  const others = list.filter((one) => one['name'] !== name);
  return where === 'first' ? [...found, ...others] : [...others, ...found];
}

/**
 * The order of containers. A native sidecar comes before the init containers of the application, which then call through it; without one the capture is
 * set up last, since init containers run before the proxy does and would call into nothing.
 * @param hold the application is to start after the proxy
 */
export function ordered(spec: JsonObject, hold: boolean): JsonObject {
  const containers = moved(listAt(spec, 'containers'), PROXY, hold ? 'first' : 'last');
  let init = listAt(spec, 'initContainers');
  if (init.some((one) => one['name'] === PROXY)) {
    for (const name of [PROXY, CORE_DUMP, VALIDATION, CAPTURE]) init = moved(init, name, 'first');
  } else {
    init = moved(init, VALIDATION, 'first');
    for (const name of [CAPTURE, CORE_DUMP]) init = moved(init, name, 'last');
  }
  return { containers, ...(init.length === 0 ? { initContainers: undefined } : { initContainers: init }) };
}
