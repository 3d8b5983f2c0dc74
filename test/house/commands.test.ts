import assert from 'node:assert/strict';
import type { Command } from 'commander';
import { gatehouse } from '../../cli/gatehouse.ts';
import { textOf, tracked } from './repository.ts';

/** What --help prints, with what is added after it. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

function all(command: Command, path: string): readonly { readonly path: string; readonly command: Command }[] {
  return [{ path, command }, ...command.commands.flatMap((child) => all(child, `${path} ${child.name()}`))];
}

const program = await gatehouse();

describe('the gatehouse command', () => {
  const commands = program.commands.flatMap((command) => all(command, `gatehouse ${command.name()}`));

  it('has every command that a file of cli/ offers', () => {
    const offered = tracked
      .filter((name) => /^cli\/[^/]+\.ts$/.test(name))
      .flatMap((name) =>
        [...textOf(name).matchAll(/^export function \w+Command\(/gm)].map(() => /([^/]+)\.ts$/.exec(name)?.[1] ?? ''),
      );
    assert.deepEqual(
      [...new Set(offered)].filter((name) => !program.commands.some((command) => command.name() === name)),
      [],
    );
  });

  for (const { path, command } of commands) {
    it(`${path} --help describes it and its options`, () => {
      assert.notEqual(command.description(), '');
      assert.deepEqual(
        command.options.filter(({ description }) => description === '').map(({ flags }) => flags),
        [],
      );
    });
    if (command.commands.length > 0) continue;
    it(`${path} --help has an example of its use`, () => {
      const [, examples = ''] = helpOf(command).split(/^Examples?:$/m);
      assert.ok(examples.includes(path), `no line with \`${path}\` under Examples:`);
    });
    const output = command.options.find(({ short }) => short === '-o');
    if (output?.argChoices) it(`${path} -o takes json`, () => assert.ok(output.argChoices?.includes('json')));
  }

  it('is told of in README.md by commands that exist', () => {
    const told = [...textOf('README.md').matchAll(/^npx (gatehouse [a-z]+)/gm)].map(([, path]) => path ?? '');
    assert.ok(told.length > 0);
    assert.deepEqual(
      told.filter((path) => !commands.some((known) => known.path === path)),
      [],
    );
  });
});
