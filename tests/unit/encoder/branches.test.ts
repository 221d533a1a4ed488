import { expect, it } from 'vitest'
import { Branches } from '../../../src/encoder/branches.ts'

it('opens a branch once, however often it is asked for', async () => {
  const opened: string[] = []
  const branches = new Branches(async (modality) => opened.push(modality))
  expect(branches.stateOf('text')).toBe('unopened')
  const both = [branches.ready('text'), branches.ready('text')]
  expect(branches.stateOf('text')).toBe('opening')
  await Promise.all(both)
  expect([branches.stateOf('text'), branches.stateOf('image')]).toEqual(['ready', 'unopened'])
  expect(opened).toEqual(['text'])
})

it('tries again after a failure, and leaves the other branches alone', async () => {
  let isBroken = true
  const branches = new Branches(async (modality) => {
    if (isBroken && modality === 'image') throw new Error('no such file')
  })
  await branches.ready('text')
  await expect(branches.ready('image')).rejects.toThrow('no such file')
  expect([branches.stateOf('text'), branches.stateOf('image')]).toEqual(['ready', 'failing'])
  isBroken = false
  await branches.ready('image')
  expect(branches.stateOf('image')).toBe('ready')
})

it('learns from work how a branch stands', async () => {
  const branches = new Branches(async () => {})
  expect(await branches.watch('audio', Promise.resolve(7))).toBe(7)
  expect(branches.stateOf('audio')).toBe('ready')
  await expect(branches.watch('audio', Promise.reject(new Error('died')))).rejects.toThrow('died')
  expect(branches.stateOf('audio')).toBe('failing')
})
