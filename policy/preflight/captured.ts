import type { Workload } from '../../mesh/model/workload.ts';

const PREFIX = 'traffic.sidecar.istio.io/';
/** The agent's own ports, as Istio leaves them out in each pod: its status, its readiness and Envoy's metrics. */
const OF_THE_AGENT: ReadonlySet<number> = new Set([15_020, 15_021, 15_090]);

/** Undefined: not a list of ports, so that nothing follows from it. */
function ports(text: string | undefined): ReadonlySet<number> | undefined {
  const words = text
    ?.split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  return words?.every((word) => /^\d{1,5}$/.test(word)) === true ? new Set(words.map(Number)) : undefined;
}

/**
 * What keeps a port's traffic from the proxy, so that mutual TLS is asked of nobody there; undefined: nothing that is known. What an
 * installation leaves out by default is not known here: then calls are taken for those of the proxy.
 */
export function notCapturedBy(
  { annotations = {}, instances }: Pick<Workload, 'annotations'> & { readonly instances: Workload['instances'] | undefined },
  port: number,
): string | undefined {
  // Without a capture the proxy itself is called, whatever annotations say.
  if (instances === undefined || instances.some(({ capture }) => capture.kind === 'explicit')) return undefined;
  if (OF_THE_AGENT.has(port)) return 'it is a port of the agent';
  const excluded = `${PREFIX}excludeInboundPorts`;
  if (ports(annotations[excluded])?.has(port) === true) return `annotation ${excluded}`;
  const included = `${PREFIX}includeInboundPorts`;
  return ports(annotations[included])?.has(port) === false ? `annotation ${included}` : undefined;
}
