import { judge } from '../../gateway-api/status/judge.ts';
import type { Problem } from '../../gateway-api/status/status.ts';
import type { Diagnostic, Severity } from '../../model/diagnostic.ts';
import { writtenKind } from '../../model/gateway-api-kinds.ts';
import { keyOf, type Meta } from '../../model/object.ts';
import { byName, finding, type Inventory } from './inventory.ts';
import { secretsIn } from './secret-state.ts';

const HINTS: Readonly<Record<string, string>> = Object.freeze({
  NoMatchingParent: 'correct parentRefs, or add the listener',
  NotAllowedByListeners: "allow it in the listener's allowedRoutes (namespaces, kinds)",
  NoMatchingListenerHostname: 'give hostnames that a listener answers for',
  BackendNotFound: 'add the Service, or correct name, namespace and port',
  RefNotPermitted: 'add a ReferenceGrant in the namespace that is referred to',
  InvalidKind: 'refer to a Service by name and port',
  InvalidRouteKinds: 'HTTP and HTTPS take HTTPRoute and GRPCRoute, TLS takes TLSRoute, TCP takes TCPRoute',
  InvalidCertificateRef: 'refer to a Secret as kubectl create secret tls makes it',
  InvalidCACertificateRef: 'refer to a ConfigMap with certificates in ca.crt',
  InvalidCACertificateKind: 'refer to a ConfigMap with certificates in ca.crt',
  NoValidCACertificate: 'refer to a ConfigMap with certificates in ca.crt',
  InvalidClientCertificateRef: 'refer to a Secret as kubectl create secret tls makes it',
  HostnameConflict: 'give each listener of a port a host of its own',
  ProtocolConflict: 'give listeners of different protocols ports of their own',
  UnsupportedProtocol: 'use HTTP, HTTPS, TLS or TCP',
  NotAllowed: "allow it in the Gateway's allowedListeners",
  TargetNotFound: 'correct targetRefs',
  Conflicted: 'remove one of the two',
  AddressNotAssigned: 'gatehouse up starts one; elsewhere add a Deployment with that label, or spec.addresses of type Hostname',
  AddressNotUsable: 'name a Service by type: Hostname',
  UnsupportedAddress: 'use type: Hostname or IPAddress',
  unknown: 'use gatewayClassName: gatehouse, or add the GatewayClass',
  unsupported: 'use gatewayClassName: gatehouse',
  other: 'nothing, if that controller is to serve it',
});

/** Reasons for which the rest of what is meant may be elsewhere, where the input is a part of a mesh. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'NoMatchingParent',
  'BackendNotFound',
  'TargetNotFound',
  'AddressNotUsable',
  'unknown',
]);

function severityOf({ reason }: Problem, fragment: boolean): Severity {
  if (reason === 'other') return 'info';
  return fragment && ELSEWHERE.has(reason) ? 'info' : 'warning';
}

/** One code for each condition that can be other than wished. */
function codeOf({ condition, reason }: Problem): string {
  if (reason === 'unknown' || reason === 'unsupported' || reason === 'other') return UNSERVED.code;
  return (CODES[condition] ?? CODES['Accepted'])?.code ?? '';
}

const UNSERVED = Object.freeze({ code: 'gateway-not-served' });
const CODES: Readonly<Record<string, { readonly code: string }>> = Object.freeze({
  Accepted: { code: 'not-accepted' },
  Conflicted: { code: 'conflicted-listener' },
  ResolvedRefs: { code: 'unresolved-reference' },
  Programmed: { code: 'not-programmed' },
});

/** Conditions of Gateway API objects that are not as wished, as diagnostics. */
export function gatewayApiStatus(inventory: Inventory): readonly Diagnostic[] {
  if (inventory.part('gatewayApi').length === 0) return [];
  const snapshot = inventory.whole();
  const fragment = snapshot.services.length === 0 && snapshot.workloads.length === 0;
  const { statuses, unserved } = judge(snapshot, secretsIn(inventory.kubernetes('Secret')));
  const told = (kind: string, meta: Meta, problems: readonly Problem[]) => {
    if (problems.length === 0) return [];
    const [written] = byName(inventory.gatewayApi(kind), keyOf(meta));
    if (written === undefined) return [];
    return problems.map((problem) =>
      finding(
        written,
        problem.field,
        severityOf(problem, fragment),
        codeOf(problem),
        `${problem.message} (${problem.condition}: ${problem.reason})`,
        HINTS[problem.reason] ?? 'see docs/gateway-api.md',
      ),
    );
  };
  return [
    ...unserved.flatMap(({ gateway, problem }) =>
      told('Gateway', gateway.meta, [problem]).map((one) => ({ ...one, message: problem.message })),
    ),
    ...statuses.flatMap(({ kind, meta, problems }) => told(writtenKind(kind), meta, problems)),
  ];
}
