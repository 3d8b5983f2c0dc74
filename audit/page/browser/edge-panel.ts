import type { CalledWith, CallLine, EdgeDetails, End, NowDecision } from '../api/details.ts';
import type { Latency } from '../api/graph.ts';
import { LOOKS, looksOf } from './appearance.ts';
import { h } from './dom.ts';
import { ago, bytes, counted, milliseconds, number, told } from './format.ts';
import { certificate, facts, identity, section, tag } from './parts.ts';
import { sample } from './shapes.ts';
import { sparkline } from './timeline.ts';

/** Half, nine of ten, 99 of 100 calls took no longer; only the mean where that is not known. */
function latencyText({ mean, max, p50, p90, p99 }: Latency): string {
  const shares: readonly (readonly [string, number | undefined])[] = [
    ['p50', p50],
    ['p90', p90],
    ['p99', p99],
  ];
  const known = shares.flatMap(([name, ms]) => (ms === undefined ? [] : [`${name} ${milliseconds(ms)}`]));
  return [`mean ${milliseconds(mean)}`, ...known, `at most ${milliseconds(max)}`].join(', ');
}

function statuses(counts: readonly number[]): HTMLElement {
  const names = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return h(
    'ul',
    { class: 'statuses' },
    counts.flatMap((count, at) => {
      if (count === 0) return [];
      const bar = h('span', { class: `bar status-${at}`, 'aria-hidden': 'true' });
      bar.style.setProperty('--part', `${(count / Math.max(1, total)) * 100}%`);
      return [h('li', {}, h('span', { class: 'what' }, names[at] ?? ''), bar, h('span', { class: 'number' }, number(count)))];
    }),
  );
}

function whyNow(now: NowDecision): HTMLElement {
  const applied = now.policies.map(({ policy, action, dryRun, decided, rules }) =>
    h(
      'li',
      {},
      h('code', {}, policy),
      ` ${action}${dryRun ? ' (dry run)' : ''} `,
      decided ? tag(now.decision === 'ALLOW' ? 'good' : 'bad', 'decides') : false,
      rules.length > 0 &&
        h(
          'ul',
          {},
          rules
            .slice(0, 8)
            .map(({ rule, matched, why }) =>
              h(
                'li',
                {},
                `rule ${rule}: ${matched === 'yes' ? 'matches' : matched === 'no' ? 'does not match' : 'cannot be told'}${why === null ? '' : ` (${told(why)})`}`,
              ),
            ),
        ),
    ),
  );
  return h(
    'details',
    { class: 'why' },
    h(
      'summary',
      {},
      tag(now.decision === 'ALLOW' ? 'good' : 'bad', now.decision === 'ALLOW' ? 'allowed now' : 'denied now'),
      ` ${told(now.reason)}`,
    ),
    h(
      'p',
      { class: 'soft' },
      `Asked about ${told(now.example)}; mutual TLS ${now.mtls.mode}${now.mtls.setBy === null ? ' by default' : ` by ${now.mtls.setBy}`}.`,
    ),
    applied.length === 0 ? h('p', { class: 'soft' }, 'No AuthorizationPolicy applies to it.') : h('ul', {}, applied),
  );
}

function call(line: CallLine): HTMLElement {
  const what = line.protocol === 'TCP' ? 'TCP connections' : `${line.method} ${line.path}`;
  return h(
    'li',
    { class: 'card' },
    h('p', { class: 'call' }, h('code', {}, told(what)), h('span', { class: 'number' }, number(line.count))),
    h(
      'p',
      {},
      line.denied ? tag('bad', 'denied') : line.verdict === 'unreached' ? tag('calm', 'never arrived') : tag('good', 'allowed'),
      line.verdict === 'unreached' ? false : line.mtls ? tag('calm', 'mutual TLS') : tag('warn', 'plain text'),
      ` ${told(line.reason)}`,
    ),
    h(
      'p',
      { class: 'soft' },
      `${told(line.service)}${line.port === 0 ? '' : `:${line.port}`} · ${line.protocol} · ${latencyText(line.latencyMs)}`,
    ),
    line.now === undefined ? false : whyNow(line.now),
  );
}

function end(title: string, { identities, addresses, certificates }: End, now: number): HTMLElement {
  return section(
    title,
    identities.length === 0 && h('p', {}, 'No identity was proven.'),
    addresses.length > 0 && h('p', { class: 'soft' }, `Addresses: ${addresses.map(told).join(', ')}`),
    certificates === null
      ? identities.map((id) => h('p', {}, identity(id)))
      : identities.map((id) => {
          const known = certificates.find((one) => one.identity === id);
          return known === undefined ? h('p', {}, identity(id)) : certificate(known, now);
        }),
  );
}

/** Which certificates the callers showed, as the proxies at the other end tell, and on what evidence each was issued. */
function named({ certificates, omitted, unnamed, wholeHours }: CalledWith, now: number): HTMLElement {
  return section(
    'Called with',
    h(
      'ul',
      { class: 'plain called-with' },
      certificates.map(({ identity: id, serial, calls, firstSeen, lastSeen, issued }) =>
        h(
          'li',
          { class: 'card' },
          h('p', { class: 'call' }, h('code', {}, serial), h('span', { class: 'number' }, number(calls))),
          h('p', {}, identity(id)),
          h(
            'p',
            { class: 'soft' },
            issued === null
              ? 'Not among the certificates that are known here of this identity.'
              : `Issued ${ago(issued.issuedAt, now)} on ${told(issued.evidence)}, until ${new Date(issued.notAfter).toLocaleString()}`,
          ),
          h('p', { class: 'soft' }, `First call ${ago(firstSeen, now)}, last ${ago(lastSeen, now)}`),
        ),
      ),
    ),
    omitted > 0 && h('p', { class: 'soft' }, `and ${counted(omitted, 'further certificate')}`),
    wholeHours && h('p', { class: 'soft' }, 'Hours that the period cuts are counted whole here.'),
    unnamed > 0 && h('p', { class: 'soft' }, `No proxy told with which certificate ${counted(unnamed, 'further call')} came.`),
  );
}

export function edgePanel(details: EdgeDetails, open: (id: string) => void, now: number): readonly Element[] {
  const { source, target, counts, latencyMs } = details;
  const looks = looksOf(counts);
  const link = ({ id, namespace, name }: End): HTMLElement =>
    h(
      'button',
      { type: 'button', class: 'link', 'data-key': `open ${id}`, onclick: () => open(id) },
      told(name),
      h('span', { class: 'soft' }, ` ${told(namespace)}`),
    );
  return [
    h('p', { class: 'ends' }, link(source), h('span', { class: 'to', 'aria-label': 'calls' }, '→'), link(target)),
    h(
      'p',
      { class: 'looks' },
      LOOKS.filter(({ look }) => looks.includes(look)).map(({ look, name }) => h('span', { class: 'look' }, sample(look), name)),
    ),
    sparkline(details.series),
    facts([
      ['Calls', number(counts.calls)],
      ['Denied', number(counts.denied)],
      ['Would be denied', number(counts.wouldBeDenied)],
      ['Plain text', number(counts.plain)],
      ['Latency', latencyText(latencyMs)],
      ['Volume', `${bytes(details.bytesReceived)} asked, ${bytes(details.bytesSent)} answered`],
      ['First, last', `${ago(details.firstSeen, now)}, ${ago(details.lastSeen, now)}`],
    ]),
    section('Statuses', statuses(details.statuses)),
    section(
      'Calls and what decided',
      h('ul', { class: 'plain' }, details.lines.map(call)),
      details.omittedLines > 0 && h('p', { class: 'soft' }, `and ${counted(details.omittedLines, 'further kind')} of calls`),
    ),
    ...(details.calledWith === null || details.calledWith.certificates.length === 0 ? [] : [named(details.calledWith, now)]),
    end('Caller', source, now),
    end('Called', target, now),
  ];
}
