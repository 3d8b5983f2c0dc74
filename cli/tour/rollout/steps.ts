import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wouldBeDenied } from '../../../audit/report/reason.ts';
import type { Line } from '../../../audit/report/report.ts';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { RolloutStatus } from '../../../policy/rollout/status.ts';
import type { Step, StepResult, TourContext } from '../step.ts';
import { until } from '../until.ts';
import { wholeReport } from '../whole-report.ts';
import { type Attempt, attemptsText, breakIn } from './break-in.ts';
import { rolloutObject } from './object.ts';

const STAGE_MS = 60_000;
/** So many calls of customers after each step, before it is said that none was harmed. */
const CUSTOMERS = 30;

function writeObject(context: TourContext, plainFrom?: string): void {
  const staged = join(context.folder, 'shop', '.rollout.yaml');
  writeFileSync(staged, rolloutObject(context.observedFor, plainFrom));
  renameSync(staged, join(context.folder, 'shop', 'rollout.yaml'));
}

/** Customers go on being served. */
async function customersText({ customers }: TourContext): Promise<{ readonly ok: boolean; readonly text: string }> {
  const before = customers.served;
  const ok = await until(STAGE_MS, () => Promise.resolve(customers.served >= before + CUSTOMERS || customers.failed.length > 0));
  const failed = customers.failed.length;
  const text = `${String(customers.served)} calls of customers, ${failed === 0 ? 'none' : String(failed)} failed${failed === 0 ? '' : ` (${customers.failed.join('; ')})`}`;
  return { ok: ok && failed === 0, text };
}

/** Waits until the status is as wanted; gives the last one. */
async function statusWhen(
  { rollout }: TourContext,
  is: (status: RolloutStatus) => boolean,
): Promise<{ readonly ok: boolean; readonly status: RolloutStatus | undefined }> {
  let status: RolloutStatus | undefined;
  const ok = await until(STAGE_MS, async () => {
    status = await rollout.status();
    return status !== undefined && is(status);
  });
  return { ok, status };
}

/** Takes the next step once its gates are open, and waits until it is in force. Undefined: it is; otherwise why not. */
async function onTo(context: TourContext, stage: Stage): Promise<string | undefined> {
  const open = await statusWhen(context, ({ heldBy }) => heldBy.length === 0);
  if (!open.ok) return `held back: ${open.status?.heldBy.join('; ') ?? 'no status'}`;
  for (const { gate, found } of open.status?.gates ?? []) context.say(`  gate ${gate}: ${found}`);
  const refused = await context.rollout.advance(`on to ${stage}`);
  if (refused !== undefined) return refused;
  const there = await statusWhen(context, (status) => status.stage === stage);
  if (!there.ok) return `still at ${there.status?.stage ?? 'no stage'}`;
  return undefined;
}

async function supportLines(auditFile: string): Promise<readonly Line[]> {
  const { lines } = await wholeReport(auditFile);
  return lines.filter(({ key }) => key.sourceWorkload === 'shop/support' && key.destinationWorkload !== '');
}

const REFUSED = Object.freeze(['shop/fraud', 'shop/website', 'shop/mobile']);

/** Whether the report has a line of the break-in to each that it must not reach. */
async function reported({ auditFile }: TourContext, is: (line: Line) => boolean): Promise<boolean> {
  return until(20_000, async () => {
    const lines = await supportLines(auditFile);
    return REFUSED.every((workload) => lines.some((line) => line.key.destinationWorkload === workload && is(line)));
  });
}

/** Tries the break-in until it is as expected: proxies take a moment. */
async function tried(context: TourContext, expected: (attempt: Attempt) => boolean): Promise<{ ok: boolean; text: string }> {
  let attempts: readonly Attempt[] = [];
  const ok = await until(20_000, async () => {
    attempts = await breakIn(context.mesh);
    return attempts.every((attempt) => attempt.reached === expected(attempt));
  });
  return { ok, text: `break-in at the support site: ${attemptsText(attempts)}` };
}

async function stage(
  context: TourContext,
  name: Stage,
  expected: (attempt: Attempt) => boolean,
  traces?: { readonly what: string; readonly is: (line: Line) => boolean },
): Promise<StepResult> {
  const problem = await onTo(context, name);
  if (problem !== undefined) return { ok: false, seen: problem };
  const attack = await tried(context, expected);
  const told = traces === undefined || (await reported(context, traces.is));
  const customers = await customersText(context);
  return {
    ok: attack.ok && told && customers.ok,
    seen: [attack.text, ...(traces === undefined ? [] : [`${told ? '' : 'NOT '}${traces.what}`]), customers.text].join(
      '\n        ',
    ),
  };
}

const isPlain = ({ what }: Attempt): boolean => what.endsWith('plain text');

/** From nothing to least privilege, with the break-in at each stage. */
export const ROLLOUT_STEPS: readonly Step[] = Object.freeze([
  {
    name: 'observe',
    title: 'zero trust 1 of 4, observe: the shop has no policy; who calls whom is recorded, and nobody is refused',
    run: async (context) => {
      writeObject(context);
      context.customers.come();
      const attack = await tried(context, () => true);
      const held = await statusWhen(
        context,
        ({ stage, gates }) =>
          stage === 'observe' && gates.some(({ gate, details }) => gate === 'plain-text' && details.length > 0),
      );
      const plain = held.status?.gates.find(({ gate }) => gate === 'plain-text');
      const customers = await customersText(context);
      return {
        ok: attack.ok && held.ok && customers.ok,
        seen: [attack.text, `mutual TLS for all is held back by ${plain?.details.join('; ') ?? 'nothing'}`, customers.text].join(
          '\n        ',
        ),
      };
    },
  },
  {
    name: 'strict',
    title: 'zero trust 2 of 4, strict: mutual TLS only, once somebody answers for the callers in plain text',
    run: async (context) => {
      const status = await context.rollout.status();
      const plain = status?.gates.find(({ gate }) => gate === 'plain-text')?.details[0] ?? '';
      const address = /^[0-9a-f.:]+(?= to )/.exec(plain)?.[0] ?? '127.0.0.1';
      context.say(
        `  written to shop/rollout.yaml: plain text of ${address}, and calls of support to fraud, website and mobile will be refused`,
      );
      writeObject(context, address);
      return stage(context, 'strict', (attempt) => !isPlain(attempt));
    },
  },
  {
    name: 'dry-run',
    title: 'zero trust 3 of 4, dry run: policies from what was seen, judged by every proxy and refusing nobody',
    run: (context) =>
      stage(context, 'dry-run', (attempt) => !isPlain(attempt), {
        what: 'reported: what of it would be denied',
        is: ({ key }) => wouldBeDenied(key),
      }),
  },
  {
    name: 'enforce',
    title: 'zero trust 4 of 4, enforce: what was not seen, or answered for, is refused',
    run: async (context) => {
      const result = await stage(context, 'enforce', ({ everyDay }) => everyDay, {
        what: 'reported: who was denied, by which policy',
        is: ({ key }) => key.decision === 'DENY' && key.detail.includes('shop/rollout-'),
      });
      await context.customers.leave();
      return result;
    },
  },
  {
    name: 'reach',
    title: 'what the break-in could reach, by the record',
    run: async ({ auditFile }) => {
      const reach = new Map<string, { allowed: number; denied: number }>();
      for (const { key, tally } of await supportLines(auditFile)) {
        const at = reach.get(key.destinationWorkload) ?? { allowed: 0, denied: 0 };
        if (key.decision === 'ALLOW') at.allowed += tally.count;
        else at.denied += tally.count;
        reach.set(key.destinationWorkload, at);
      }
      const text = [...reach]
        .map(
          ([workload, { allowed, denied }]) => `support to ${workload}: ${String(allowed)} let through, ${String(denied)} denied`,
        )
        .sort();
      return { ok: REFUSED.every((workload) => (reach.get(workload)?.denied ?? 0) > 0), seen: text.join('\n        ') };
    },
  },
]);
