import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CONTENT_SECURITY_POLICY, htmlOf, type Live } from '../../audit/document/html.ts';
import { printed } from '../../audit/document/print.ts';
import { endsOf, visibleTo } from '../../audit/page/server/ends.ts';
import { LOCAL_VIEWER, type Viewer } from '../../audit/page/server/viewer.ts';
import { printableReport } from '../../audit/report/printable.ts';
import { parseQuestion } from '../../audit/report/question.ts';
import { type Report, reportOf } from '../../audit/report/report.ts';
import type { Observed, StoreReader } from '../../audit/store/store.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { version } from '../version.ts';
import { knownHost } from './known-host.ts';

export interface ReportPageOptions {
  readonly store: Pick<StoreReader, 'query'>;
  readonly clock: () => Date;
  /**
   * Host names, without port, under which the page may be asked for beside addresses and localhost. Others are refused: a
   * foreign name that resolves to this address is how a web page elsewhere would read it (DNS rebinding).
   */
  readonly hosts?: readonly string[];
  readonly refreshSeconds?: number;
  /** Who asks, and so which calls are for them; without it all are. */
  readonly viewerOf?: (request: FastifyRequest) => Viewer;
  readonly snapshot?: () => Snapshot;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const REFRESH_SECONDS = 5;
/** What is shown when no period is asked for. A store keeps more than a page can show. */
const DEFAULT_SINCE = '1d';
const FORMATS = Object.freeze({ '/report.html': 'html', '/report.json': 'json', '/report.csv': 'csv' } as const);
type Format = (typeof FORMATS)[keyof typeof FORMATS];

const HEADERS = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': `${CONTENT_SECURITY_POLICY}; frame-ancestors 'none'`,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
});

function answer(status: number, type: string, body: string, more: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...HEADERS, 'content-type': `${type}; charset=utf-8`, ...more }, body };
}

function refusal(status: number, text: string, more: Readonly<Record<string, string>> = {}): Answer {
  return answer(status, 'text/plain', `${text}\n`, more);
}

/** Links to other periods, to the denied calls only, and to the same report as data. */
function linksOf(query: URLSearchParams): Live['links'] {
  const href = (path: string, changes: Readonly<Record<string, string | undefined>>): string => {
    const params = new URLSearchParams(query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) params.delete(name);
      else params.set(name, value);
    }
    const text = params.toString();
    return text === '' ? path : `${path}?${text}`;
  };
  return [
    ...['15m', '1h', '1d', '7d'].map((since) => ({
      text: `last ${since}`,
      href: href('/report.html', { since, until: undefined }),
    })),
    { text: 'all decisions', href: href('/report.html', { verdict: undefined }) },
    { text: 'denied only', href: href('/report.html', { verdict: 'denied' }) },
    { text: 'JSON', href: href('/report.json', {}) },
    { text: 'CSV', href: href('/report.csv', {}) },
  ];
}

function render(format: Format, report: Report, live: Live): Answer {
  const printable = printableReport(report, { preparedBy: 'gatehouse serve', version, store: 'of this control plane' });
  switch (format) {
    case 'html':
      return answer(200, 'text/html', [...htmlOf(printable.document, live)].join(''));
    case 'json':
      return answer(200, 'application/json', printed(printable, 'json'));
    case 'csv':
      return answer(200, 'text/csv', printed(printable, 'csv'), {
        'content-disposition': 'attachment; filename="gatehouse-audit.csv"',
      });
    default:
      return format satisfies never;
  }
}

/** The calls that touch a viewer's namespaces. */
function visiblePart(observed: Observed, viewer: Viewer, snapshot: Snapshot | undefined): Observed {
  if (viewer.namespaces === 'all') return observed;
  const own = new Set(snapshot === undefined ? [] : [snapshot.meshConfig.trustDomain, ...snapshot.meshConfig.trustDomainAliases]);
  return { ...observed, edges: observed.edges.filter(({ key }) => visibleTo(viewer, endsOf(key, own))) };
}

async function respond(
  options: ReportPageOptions,
  format: Format,
  viewer: Viewer,
  target: string,
  host: string | undefined,
): Promise<Answer> {
  if (!knownHost(host, options.hosts ?? [])) return refusal(421, 'this host name is not served here');
  const at = target.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : target.slice(at));
  const now = options.clock();
  const of = (name: string): string | undefined => query.get(name) || undefined;
  const since = of('since') ?? (of('until') === undefined ? DEFAULT_SINCE : undefined);
  const question = parseQuestion(
    {
      since,
      until: of('until'),
      namespace: of('namespace'),
      workload: of('workload'),
      identity: of('identity'),
      verdict: of('verdict'),
    },
    now,
  );
  if (!question.ok) return refusal(400, question.reason);
  try {
    const observed = visiblePart(
      await options.store.query({ ...question.value.period, latencies: true }),
      viewer,
      options.snapshot?.(),
    );
    const report = reportOf(observed, { ...question.value, now });
    return render(format, report, { refreshSeconds: options.refreshSeconds ?? REFRESH_SECONDS, links: linksOf(query) });
  } catch (error) {
    return refusal(503, `the audit store cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      'retry-after': '5',
    });
  }
}

/**
 * Adds the report as web pages to a Fastify server: `/report.html` (refreshes itself), `/report.json` and `/report.csv`, all with the
 * query parameters since, until, namespace, workload, identity and verdict. No scripts, nothing from elsewhere.
 */
export function addReportPage(app: FastifyInstance, options: ReportPageOptions): void {
  for (const [url, format] of Object.entries(FORMATS)) {
    app.get(url, async (request, reply) => {
      const { status, headers, body } = await respond(
        options,
        format,
        options.viewerOf?.(request) ?? LOCAL_VIEWER,
        request.url,
        request.headers.host,
      );
      return reply.code(status).headers(headers).send(body);
    });
  }
}
