import type { AuthorizationPolicy, Rule } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { finding, some } from './finding.ts';
import { isHttpOnly, type List, listsOf } from './fields.ts';
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

/** Whether some rule that allows can match on a TCP port of a workload. */
function isOpened(survey: Survey, workload: Workload, { port }: OwnPort): boolean {
  return survey
    .policiesOf(workload)
    .some(
      (policy) =>
        policy.action === 'ALLOW' &&
        !policy.dryRun &&
        policy.rules.some((rule, at) => asks(listsOf(policy), at).length === 0 && reachesPort(rule, port)),
    );
}

interface Place {
  readonly text: string;
  readonly opened: boolean;
}

function placesOf(survey: Survey, policy: AuthorizationPolicy, rule: Rule, opened: Map<OwnPort, boolean>): readonly Place[] {
  const found: Place[] = [];
  for (const workload of survey.targets(policy)) {
    for (const one of survey.portsOf(workload)) {
      if (!isOpaque(one.protocol) || !reachesPort(rule, one.port) || survey.isGateway(workload)) continue;
      const open = opened.get(one) ?? isOpened(survey, workload, one);
      opened.set(one, open);
      found.push({ text: `port ${one.port} (${one.protocol}) of ${nameOf(workload)}`, opened: open });
    }
  }
  return found;
}

/** What is left of a DENY rule when the fields of HTTP are taken away. */
function isBare(lists: readonly List[], at: number): boolean {
  return !lists.some((list) => list.rule === at && !isHttpOnly(list) && list.attribute !== 'ports');
}

/** Rules that ask for what only HTTP has, on ports that are not HTTP. */
export function httpOnTcp(survey: Survey): readonly Diagnostic[] {
  const opened = new Map<OwnPort, boolean>();
  return survey.snapshot.authorizationPolicies.flatMap((policy) => {
    if (policy.action !== 'ALLOW' && policy.action !== 'DENY') return [];
    const lists = listsOf(policy);
    return policy.rules.flatMap((rule, at) => {
      const http = asks(lists, at);
      const [first] = http;
      if (first === undefined) return [];
      const places = placesOf(survey, policy, rule, opened);
      if (places.length === 0) return [];
      const where = `on ${some(places.map(({ text }) => text))}`;
      const fields = [...new Set(http.map(({ name }) => name))].join(', ');
      if (policy.action === 'ALLOW') {
        const closed = places.some((place) => !place.opened);
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
