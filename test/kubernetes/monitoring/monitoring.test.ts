// Alerts and dashboards: read by the real promtool, and only of metrics that are there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { root, textOf, tracked } from '../../house/repository.ts';

const ALERTS = 'manifests/prometheus/alerts.yaml';
const UNIT_TESTS = 'test/kubernetes/monitoring/alerts.promtool.yaml';
const dashboards = tracked.filter((name) => name.startsWith('manifests/grafana/') && name.endsWith('.json'));

/** Every text in a field of this name, however deep. */
function fields(value: unknown, name: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    key === name && typeof inner === 'string' ? [inner] : fields(inner, name),
  );
}

const expressions = (name: string): readonly string[] => fields(parse(textOf(name)), 'expr');

describe('alerts and dashboards', () => {
  /** promtool is among the packages that setup/system-packages.sh installs for root. */
  function promtool(test: Mocha.Context, ...args: string[]): void {
    const done = spawnSync('promtool', args, { cwd: root, encoding: 'utf8' });
    if (done.error !== undefined) {
      assert.ok(process.env['CI'] === undefined || process.getuid?.() !== 0, 'promtool is missing');
      test.skip();
    }
    assert.equal(done.status, 0, `${done.stdout}${done.stderr}`);
  }

  it('promtool takes the alerts', function () {
    promtool(this, 'check', 'rules', '--lint=all', '--lint-fatal', ALERTS);
  });

  it('each alert fires on what it is for, and not before', function () {
    promtool(this, 'test', 'rules', UNIT_TESTS);
  });

  for (const name of dashboards)
    it(`promtool takes the expressions of ${name}`, function () {
      const dir = mkdtempSync(join(tmpdir(), 'gh-dashboard-'));
      try {
        // As Grafana fills in its own intervals; other variables stand within quotes.
        const rules = expressions(name).map((expr, index) => ({
          record: `dashboard:${index}`,
          expr: expr.replaceAll(/\$__(?:rate_interval|range)\b/g, '5m'),
        }));
        assert.ok(rules.length > 5);
        const file = join(dir, 'rules.yaml');
        writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
        promtool(this, 'check', 'rules', file);
      } finally {
        rmSync(dir, { recursive: true });
      }
    });

  it('name only metrics that the source has', () => {
    const source = tracked
      .filter((name) => /^(ca|cli|sds|audit|xds|kubernetes)\/.*\.ts$/.test(name))
      .map(textOf)
      .join('\n');
    const used = [ALERTS, ...dashboards]
      .flatMap(expressions)
      .flatMap((expression) =>
        [...expression.matchAll(/\bgatehouse_[a-z_]+/g)].map(([metric]) => metric.replace(/_bucket$/, '')),
      );
    assert.ok(used.length > 30);
    assert.deepEqual(
      [...new Set(used)].filter((metric) => !source.includes(`'${metric}'`)),
      [],
    );
  });

  it('every alert tells what to do next', () => {
    const {
      groups,
    }: {
      readonly groups: readonly {
        readonly rules: readonly { readonly alert: string; readonly annotations?: { readonly action?: string } }[];
      }[];
    } = parse(textOf(ALERTS));
    for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) assert.ok(annotations?.action, alert);
  });
});
