import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Gathering } from '../../src/gathering.ts'
import { Serial } from '../../src/serial.ts'

function gathering(max = 10, run?: (items: string[]) => Promise<void>, serial = new Serial()) {
  const groups: string[][] = []
  const all = new Gathering<string, string>({
    serial,
    max,
    keyOf: (item) => item[0]!,
    run: async (items) => {
      groups.push(items)
      await setTimeout(5)
      await run?.(items)
      return items.map((item) =>
        item.endsWith('!')
          ? { status: 'rejected', reason: new Error(item) }
          : { status: 'fulfilled', value: `${item}.` },
      )
    },
  })
  return { groups, submit: (...items: string[]) => Promise.allSettled(items.map((item) => all.submit(item))) }
}

const values = (outcomes: PromiseSettledResult<string>[]) =>
  outcomes.map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason)))

it('does together what came while something was being done', async () => {
  const { groups, submit } = gathering()
  expect(values(await submit('a', 'b', 'c', 'd'))).toEqual(['a.', 'b.', 'c.', 'd.'])
  expect(groups).toEqual([['a', 'b', 'c', 'd']])
  const first = submit('a')
  await setTimeout(1)
  const second = submit('b', 'c')
  await Promise.all([first, second])
  expect(groups.slice(1)).toEqual([['a'], ['b', 'c']])
})

it('keeps groups within their bound, and items of one key in order and apart', async () => {
  const { groups, submit } = gathering(2)
  await submit('a1', 'a2', 'b1', 'c1', 'a3')
  expect(groups).toEqual([['a1', 'b1'], ['a2', 'c1'], ['a3']])
})

it('tells each item its own outcome', async () => {
  const { submit } = gathering()
  expect(values(await submit('a', 'b!', 'c'))).toEqual(['a.', 'Error: b!', 'c.'])
})

it('tries each alone where a group fails', async () => {
  const { groups, submit } = gathering(10, async (items) => {
    if (items.includes('b')) throw new Error('bad b')
  })
  expect(values(await submit('a', 'b', 'c'))).toEqual(['a.', 'Error: bad b', 'c.'])
  expect(groups).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']])
})

it('lets another task of the line have its turn while items keep coming', async () => {
  const serial = new Serial()
  const { groups, submit } = gathering(10, undefined, serial)
  const coming: Promise<unknown>[] = []
  let isOver = false
  const keepComing = async () => {
    for (let i = 0; !isOver && i < 200; i++) {
      coming.push(submit(`${String.fromCharCode(97 + (i % 26))}${i}`))
      await setTimeout(1)
    }
  }
  const clients = keepComing()
  await setTimeout(40)
  const before = groups.length
  await serial.run(async () => undefined)
  expect(groups.length - before).toBeLessThanOrEqual(1)
  isOver = true
  await clients
  await Promise.all(coming)
})
