import type { createColors } from 'picocolors';
import { keyOf } from '../../mesh/model/object.ts';
import type { Fault, Headers } from '../../mesh/model/virtual-service.ts';
import type { Answer, Named, Outcome, Skipped, Taken, Target } from '../../routing/evaluate/answer.ts';
import type { Asker, RouteRequest } from '../../routing/evaluate/question.ts';

type Colors = ReturnType<typeof createColors>;

function place({ kind, name, origin }: Named): string {
  return `${kind} ${name} (${origin.file}:${origin.line})`;
}

function routeText({ route, routeName, match }: Pick<Taken, 'route' | 'routeName' | 'match'>): string {
  const name = routeName === undefined ? '' : ` "${routeName}"`;
  return `http[${route}]${name}${match === undefined ? '' : `.match[${match}]`}`;
}

const percent = (share: number): string => `${Math.round(share * 10_000) / 100}%`;

function targetLines(
  { host, subset, port, share, service, destinationRule, endpoints, authority, trouble }: Target,
  asked: string,
): readonly string[] {
  const head = `${percent(share)} to ${host}:${port}${subset === undefined ? '' : `, subset ${subset}`}`;
  const at =
    endpoints.length === 0
      ? []
      : [`at ${endpoints.slice(0, 5).join(', ')}${endpoints.length > 5 ? ` and ${endpoints.length - 5} more` : ''}`];
  const objects = [service, destinationRule].flatMap((one) => (one === undefined ? [] : [place(one)]));
  const seen = authority === '' || authority === asked ? [] : [`with the host ${authority}`];
  return [
    head,
    ...[...objects, ...at, ...seen, ...(trouble === undefined ? [] : [`${trouble.status}: ${trouble.why}`])].map(
      (line) => `  ${line}`,
    ),
  ];
}

function headerText(headers: Headers | undefined): readonly string[] {
  if (headers === undefined) return [];
  return (['request', 'response'] as const).flatMap((side) => {
    const { set, add, remove } = headers[side];
    const parts = [
      ...Object.entries(set).map(([name, value]) => `sets ${name}: ${value}`),
      ...Object.entries(add).map(([name, value]) => `adds ${name}: ${value}`),
      ...remove.map((name) => `removes ${name}`),
    ];
    return parts.length === 0 ? [] : [`${side} headers: ${parts.join(', ')}`];
  });
}

function outcomeLines(outcome: Outcome, { host }: RouteRequest): readonly string[] {
  switch (outcome.kind) {
    case 'route':
      return [
        ...outcome.destinations.flatMap((one) => targetLines(one, host)),
        ...(outcome.rewritten ? [`the path becomes ${outcome.path}`] : []),
        ...headerText(outcome.headers),
        ...outcome.mirrors.map(
          (one) =>
            `${one.percentage}% copied to ${one.host}:${one.port}${one.subset === undefined ? '' : `, subset ${one.subset}`}`,
        ),
        ...(outcome.timeoutMs === undefined ? [] : [`given up after ${outcome.timeoutMs} ms`]),
        ...(outcome.retries === undefined
          ? []
          : [
              `retried ${outcome.retries.attempts} times${outcome.retries.retryOn.length === 0 ? '' : ` on ${outcome.retries.retryOn.join(', ')}`}`,
            ]),
      ];
    case 'connection':
      return [outcome.why, ...outcome.destinations.flatMap((one) => targetLines(one, ''))];
    case 'redirect':
      return [`${outcome.status} to ${outcome.location}`];
    case 'direct-response':
      return [`${outcome.status}${outcome.body === '' ? '' : ` ${JSON.stringify(outcome.body)}`}, answered by the proxy`];
    case 'passthrough':
      return [`passed on to where it was going: ${outcome.why}`];
    case 'refused':
      return [`${outcome.status === 0 ? 'no connection' : outcome.status}: ${outcome.why}`];
    default:
      return outcome satisfies never;
  }
}

function faultText({ delay, abort }: Fault): string {
  const parts = [
    ...(delay === undefined ? [] : [`${delay.percentage}% delayed by ${delay.fixedMs} ms`]),
    ...(abort === undefined
      ? []
      : [
          `${abort.percentage}% answered ${abort.grpcStatus === undefined ? (abort.httpStatus ?? 503) : `gRPC status ${abort.grpcStatus}`}`,
        ]),
  ];
  return parts.join(', ');
}

function skippedLine({ virtualService, why, ...rest }: Skipped): string {
  return `${routeText(rest)} of ${virtualService.name}: ${why}`;
}

/** One request and where it goes, for people. */
export function explainedText(asker: Asker, request: RouteRequest, answer: Answer, colors: Colors): string {
  const { claimed, taken, skipped, fault, outcome } = answer;
  const from = `${asker.kind === 'gateway' ? 'gateway ' : ''}${keyOf(asker.workload)}`;
  const failed =
    outcome.kind === 'refused' ||
    (outcome.kind === 'route' && outcome.destinations.every(({ trouble }) => trouble !== undefined));
  const result = outcomeLines(outcome, request);
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  return `${[
    `${colors.bold('Request')}      ${request.method} ${request.scheme}://${request.host}${request.path}, port ${request.port ?? '?'}, from ${from}`,
    `${colors.bold('Host')}         ${claimed === undefined ? 'nobody has it' : `${claimed.domain}: ${place(claimed.by)}`}`,
    ...(skipped.length === 0 ? [] : [colors.bold('Not matched'), ...indented(skipped.map(skippedLine))]),
    ...(taken === undefined
      ? claimed === undefined || outcome.kind !== 'route'
        ? []
        : [`${colors.bold('Route')}        no VirtualService routes it: straight to the service`]
      : [
          `${colors.bold('Route')}        ${routeText(taken)} of ${place(taken.virtualService)}`,
          ...(taken.delegate === undefined
            ? []
            : [`             delegated to http[${taken.delegate.route}] of ${place(taken.delegate.virtualService)}`]),
        ]),
    ...(fault === undefined ? [] : [`${colors.bold('Fault')}        ${faultText(fault)}`]),
    failed ? colors.red(colors.bold('Goes')) : colors.green(colors.bold('Goes')),
    ...indented(result),
  ].join('\n')}\n`;
}
