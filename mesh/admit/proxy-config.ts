import { parse } from 'yaml';
import { Field, fieldsOf } from './field.ts';
import { gatewayTopology } from './gateway-topology.ts';
import { nodeOf } from './node.ts';
import { Report } from './report.ts';

const ANNOTATION = 'proxy.istio.io/config';
/** Istio's ProxyConfig is a few lines. */
const LONGEST = 16_384;

/** The ProxyConfig that a pod's annotation holds as YAML; undefined when it is none. */
function parsed(text: string): unknown {
  if (text.length > LONGEST) return undefined;
  try {
    return parse(text, { maxAliasCount: 10 });
  } catch {
    return undefined;
  }
}

/**
 * How many proxies in front of a gateway its own pods say are trusted, before what the mesh says. An annotation that cannot be read
 * keeps no pod out of the mesh, and trusts nobody more.
 */
export function annotatedTrustedProxies(annotations: Field): number | undefined {
  const field = fieldsOf(annotations, [ANNOTATION], 'tolerant')[ANNOTATION];
  const { node, line, path } = field;
  if (node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  const read = nodeOf(parsed(node.value), line);
  if (read.kind === 'scalar') {
    field.warning('bad-yaml', 'holds no ProxyConfig', 'as "gatewayTopology: {numTrustedProxies: 1}"');
    return undefined;
  }
  const report = new Report('', undefined);
  const found = gatewayTopology(new Field(read, path, line, report), 'pod').numTrustedProxies;
  for (const { severity, code, message, hint } of report.diagnostics)
    if (severity === 'error') field.warning(code, `gatewayTopology: ${message}`, hint);
  return report.failed ? undefined : found;
}
