import type { AuthorizationPolicy, Rule } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { finding } from './finding.ts';
import { isHttpOnly, type List, listsOf } from './fields.ts';
import { remembered } from '../../mesh/model/remembered.ts';
import { nameOf, type OwnPort, type Survey } from './survey.ts';

/** Protocols of which the proxy sees bytes only; an unknown one may turn out to be HTTP. */
function isOpaque(protocol: Protocol): boolean {
  return protocol === 'tcp' || protocol === 'tls' || protocol === 'https';
}

/** Whether a rule is about a port at all, by its own `ports`. */
export function reachesPort(rule: Rule, port: number): boolean {
  const keys = rule.when.filter(({ key }) => key === 'destination.port');
  if (keys.some(({ values }) => values.values.length > 0 && !values.values.includes(String(port)))) return false;
  return (
    rule.to.length === 0 ||
    rule.to.some(({ ports }) => (ports.values.length === 0 || ports.values.includes(port)) && !ports.notValues.includes(port))
  );
}

function asks(lists: readonly List[], rule: number): readonly List[] {
  return lists.filter((list) => list.rule === rule && isHttpOnly(list));
}

/** The rules of an ALLOW policy that can match where nothing of HTTP is seen. */
function plainRules(policy: AuthorizationPolicy): readonly Rule[] {
  if (policy.action !== 'ALLOW' || policy.dryRun) return [];
  return policy.rules.filter((_, at) => asks(listsOf(policy), at).length === 0);
}

interface Place {
  readonly workload: Workload;
  readonly own: OwnPort;
}

function describe({ workload, own }: Place): string {
  return `port ${own.port} (${own.protocol}) of ${nameOf(workload)}`;
}

/** What is left of a DENY rule when the fields of HTTP are taken away. */
function isBare(lists: readonly List[], at: number): boolean {
  return !lists.some((list) => list.rule === at && !isHttpOnly(list) && list.attribute !== 'ports');
}

/** Rules that ask for what only HTTP has, on ports that are not HTTP. */
export function httpOnTcp(survey: Survey): readonly Diagnostic[] {
  const opaque = remembered((targets: readonly Workload[]): readonly Place[] =>
    targets.flatMap((workload) =>
      survey.isGateway(workload)
        ? []
        : survey.portsOf(workload).flatMap((own) => (isOpaque(own.protocol) ? [{ workload, own }] : [])),
    ),
  );
  const plain = remembered(plainRules);
  /** Whether some rule that allows can match there. */
  const opened = remembered(({ workload, own }: Place): boolean =>
    survey.policiesOf(workload).some((policy) => plain(policy).some((rule) => reachesPort(rule, own.port))),
  );
  return survey.policies.flatMap((policy) => {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') return [];
    const lists = listsOf(policy);
    return policy.rules.flatMap((rule, at) => {
      const http = asks(lists, at);
      const [first] = http;
      if (first === undefined) return [];
      const places = opaque(survey.targets(policy)).filter(({ own }) => reachesPort(rule, own.port));
      if (places.length === 0) return [];
      const rest = places.length > 3 ? ` and ${places.length - 3} more` : '';
      const where = `on ${places.slice(0, 3).map(describe).join(', ')}${rest}`;
      const fields = [...new Set(http.map(({ name }) => name))].join(', ');
      if (policy.action === 'ALLOW') {
        const closed = !places.every(opened);
        return [
          finding(
            policy.meta,
            first.path,
            closed ? 'warning' : 'info',
            'http-field-on-tcp',
            `${where} this ALLOW rule never matches: it asks for ${fields}${closed ? ', and no other rule lets callers in' : ''}`,
            'give that port a rule without fields of HTTP, or name the Service port http-... if it is HTTP',
          ),
        ];
      }
      const effect = isBare(lists, at) ? 'denies every connection' : 'denies every connection that its other fields match';
      return [
        finding(
          policy.meta,
          first.path,
          'warning',
          'http-field-on-tcp',
          `${where} this DENY rule ${effect}: ${fields} cannot be seen there`,
          'add to.operation.ports with the HTTP ports, or name the Service port http-... if it is HTTP',
        ),
      ];
    });
  });
}
