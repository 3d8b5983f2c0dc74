import type { Snapshot } from '../../mesh/model/snapshot.ts';

const MOST = 5;
/** What a shell takes as it is, so that an example can be pasted. */
const PLAIN = /^[\w./*~-]+$/;

/** Example requests to the gateway, from the routes that are bound to Gateways: curl commands. */
export function exampleRequests(snapshot: Snapshot, gateway: string): readonly string[] {
  const found = new Set<string>();
  for (const service of snapshot.virtualServices) {
    if (service.gateways.every((name) => name === 'mesh')) continue;
    const uris = service.http
      .flatMap((route) => route.match)
      .flatMap(({ uri }) => (uri === undefined || uri.kind === 'regex' ? [] : [uri.value]));
    const path = uris.find((uri) => uri !== '/') ?? '/';
    for (const host of service.hosts) {
      if (!PLAIN.test(host) || !PLAIN.test(path)) continue;
      const name = host.startsWith('*.') ? `any${host.slice(1)}` : host;
      found.add(name === '*' ? `curl -i http://${gateway}${path}` : `curl -i -H 'Host: ${name}' http://${gateway}${path}`);
    }
  }
  return [...found].slice(0, MOST);
}
