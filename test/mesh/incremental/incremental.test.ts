import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { findings, findingsByPart } from '../../../cli/input/findings.ts';
import { TogetherChecks } from '../../../mesh/admit/check/check-together.ts';
import { DEFAULT_MESH_CONFIG } from '../../../mesh/admit/mesh-config.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import type { MeshConfig } from '../../../mesh/model/mesh-config.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { listFiles } from '../../../mesh/source/files.ts';
import { LiveMesh } from '../../../mesh/source/live-mesh.ts';
import { loadMeshConfig } from '../../../mesh/source/mesh-config.ts';
import { TestFolder } from '../folder.ts';
import { Expected } from './expected.ts';
import { Dice, documentBy, someMakers } from './objects.ts';

const SEED = Number(process.env['SEED'] ?? 20261121);
const STEPS = Number(process.env['STEPS'] ?? 240);
const RUNS = Number(process.env['RUNS'] ?? 8);
const FILES = ['a.yaml', 'b.yaml', 'b/c.yaml', 'b/d.json', 'e.yml', 'late/f.yaml'] as const;
const CONFIGS = ['{}', 'rootNamespace: one', 'trustDomain: other.example', 'trustDomain: [', 'clusterDomain: x.local'] as const;

/** Plain data, without the places where objects stood when they were read (`origins`: with them). */
function plain(value: unknown, origins = false): unknown {
  if (value instanceof Map) return [...value].map((pair) => plain(pair, origins));
  if (Array.isArray(value)) return value.map((one) => plain(one, origins));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => origins || name !== 'origin')
      .map(([name, one]) => [name, plain(one, origins)]),
  );
}

function listsOf(snapshot: Snapshot): ReadonlyMap<string, readonly object[]> {
  return new Map(Object.entries(snapshot).filter(([, list]) => Array.isArray(list)));
}

/** Findings of one line may come in any order among those of different objects. */
function settled(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(({ file, line, ...rest }) => JSON.stringify([file, line, Object.entries(rest).sort()])).sort();
}

class Editor {
  readonly #folder: TestFolder;
  readonly #dice: Dice;
  readonly #makers: ReturnType<typeof someMakers>;

  constructor(folder: TestFolder, dice: Dice) {
    this.#folder = folder;
    this.#dice = dice;
    this.#makers = someMakers(dice);
  }

  #documents(name: string): string[] {
    const path = this.#folder.at(`mesh/${name}`);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return text === '' ? [] : text.split('---\n');
  }

  #write(name: string, documents: readonly string[]): string {
    return this.#folder.write(`mesh/${name}`, documents.join('---\n'));
  }

  /** @returns the files it touched */
  edit(): readonly string[] {
    const dice = this.#dice;
    const name = dice.one(FILES);
    const documents = this.#documents(name);
    const at = dice.below(documents.length + 1);
    switch (dice.below(10)) {
      case 0:
        rmSync(this.#folder.at(`mesh/${name}`), { force: true });
        return [this.#folder.at(`mesh/${name}`)];
      case 1:
        return [
          this.#write(
            name,
            ['# another first line\n', ...documents].join('').startsWith('# another')
              ? [`# first\n${documents.join('---\n')}`]
              : documents,
          ),
        ];
      case 2: {
        const other = dice.one(FILES);
        const [moved] = documents.splice(at, 1);
        if (moved === undefined || other === name) return [];
        return [this.#write(name, documents), this.#write(other, [...this.#documents(other), moved])];
      }
      case 3: {
        const other = dice.one(FILES);
        if (other === name || documents.length === 0) return [];
        const [from, to] = [this.#folder.at(`mesh/${name}`), this.#folder.write(`mesh/${other}`, '')];
        renameSync(from, to);
        return [from, to];
      }
      case 4:
        return [this.#write(name, documents.toSpliced(at, 1))];
      case 5:
        return [
          this.#write(name, [...documents, dice.one(documents.length === 0 ? [documentBy(dice, this.#makers)] : documents)]),
        ];
      case 6:
        return [this.#write(name, documents.toReversed())];
      default:
        if (documents.length > 6) return [this.#write(name, documents.slice(2))];
        return [this.#write(name, documents.toSpliced(at, dice.below(2), documentBy(dice, this.#makers)))];
    }
  }
}

/** Of findings about objects together, so that it shows that there were some. */
const codes = new Set<string>();

function run(seed: number, steps: number): void {
  const folder = new TestFolder();
  const dice = new Dice(seed);
  const editor = new Editor(folder, dice);
  const assumePods = dice.chance(50);
  try {
    folder.write('mesh/a.yaml', '');
    const meshConfigFile = folder.write('config.yaml', '{}');
    const options = { paths: [folder.at('mesh')], meshConfigFile, assumePods };
    const live = new LiveMesh(options);
    const expected = new Expected(assumePods);
    let now = Date.now() + 60_000;
    let config: MeshConfig = DEFAULT_MESH_CONFIG;
    let last: Snapshot | undefined;
    const checks = new TogetherChecks();
    for (let step = 0; step < steps; step++) {
      const touched = new Set<string>();
      for (let edit = dice.below(4); edit >= 0; edit--) for (const file of editor.edit()) touched.add(file);
      if (step > 0 && dice.chance(4)) touched.add(folder.write('config.yaml', dice.one(CONFIGS)));
      now += 60_000;
      const all = dice.chance(20);
      const scan = live.scan(
        now,
        20,
        step === 0 || all ? 'all' : { entries: touched, ...(dice.chance(50) ? {} : { next: dice.one([0, 1, 3, Infinity]) }) },
      );
      const read = loadMeshConfig(meshConfigFile);
      const configured = JSON.stringify(read.meshConfig ?? config) !== JSON.stringify(config);
      config = read.meshConfig ?? config;
      const want = expected.step(listFiles(options.paths).files, config);
      const got = live.snapshot;
      const place = `step ${step} of SEED=${seed}`;
      assert.ok(got !== undefined, place);
      const before = last === undefined ? undefined : listsOf(last);
      for (const [name, list] of listsOf(want.snapshot)) {
        const mine = listsOf(got).get(name);
        assert.deepEqual(plain(mine), plain(list), `${name} at ${place}`);
        const was = before?.get(name);
        if (was === undefined || was === mine || configured || mine === undefined) continue;
        const same = JSON.stringify(plain(was, true)) === JSON.stringify(plain(mine, true));
        assert.ok(!same, `${name} is another list with the same objects at ${place}`);
        const objects = new Map(was.map((one) => [JSON.stringify(plain(one, true)), one]));
        for (const one of mine) {
          const old = objects.get(JSON.stringify(plain(one, true)));
          assert.ok(old === undefined || old === one, `an object of ${name} was made anew at ${place}: ${JSON.stringify(one)}`);
        }
      }
      assert.deepEqual(settled(scan.diagnostics), settled([...read.diagnostics, ...want.diagnostics]), place);
      const places = scan.diagnostics.map(({ file, line }) => [file, line] as const);
      for (const [at, [file, line]] of places.entries()) {
        const [next, nextLine] = places[at + 1] ?? [file, line];
        assert.ok(file < next || (file === next && line <= nextLine), `order at ${place}`);
      }
      if (!scan.diagnostics.some(({ code }) => code === 'last-good') && read.meshConfig !== undefined) {
        const fresh = new LiveMesh(options).scan(now, 20);
        assert.deepEqual(scan.diagnostics, fresh.diagnostics, `diagnostics of a fresh reading at ${place}`);
      }
      if (dice.chance(60)) {
        const found = [...findingsByPart(checks, got, live.written(), new Date(now))].flat();
        assert.deepEqual(found, findings(want.snapshot, want.written, new Date(now)), `findings at ${place}`);
        for (const { code } of found) codes.add(code);
      }
      last = got;
    }
  } catch (cause) {
    process.stderr.write(
      `again: SEED=${seed} RUNS=1 STEPS=${steps} npx mocha --no-config test/mesh/incremental/incremental.test.ts\n`,
    );
    throw cause;
  } finally {
    folder.dispose();
  }
}

describe('a mesh that is kept up to date', () => {
  for (let at = 0; at < RUNS; at++)
    it(`is what it would be if it were read anew (SEED=${SEED + at}, ${STEPS / RUNS} steps)`, () => {
      run(SEED + at, Math.ceil(STEPS / RUNS));
    }).timeout(STEPS * 500);

  it('findings about objects together were among what was compared', () => {
    assert.ok(codes.size >= Math.min(5, Math.floor(STEPS / 48)), [...codes].sort().join(' '));
  });
});
