/** A checkpoint seen under today's tensor names: old files call the one relative table `rel_pos_table.weight`. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { officialName } from '../model/tensors.ts'

export function renameOldTensors(checkpoint: Checkpoint): Checkpoint {
  const storedNames = new Map([...checkpoint.tensors.keys()].map((stored) => [officialName(stored), stored]))
  const tensors = new Map(
    [...storedNames].map(([name, stored]) => [name, { ...checkpoint.tensors.get(stored)!, name }]),
  )
  return {
    cfg: checkpoint.cfg,
    tensors,
    readFloat32: (name) => checkpoint.readFloat32(storedNames.get(name) ?? name),
    readRaw: (name) => checkpoint.readRaw(storedNames.get(name) ?? name),
    close: () => checkpoint.close(),
  }
}
