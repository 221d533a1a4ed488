/**
 * AVQA (Yang et al. 2022): questions about clips with four answers each; of the clips we hear the sound.
 *
 *   val_qa.json: [{"video_name": "-HG3Omg_89c_000030", "question_text": "…", "multi_choice": ["…", "…", "…", "…"], "answer": 1}, …]
 */
import { z } from 'zod'
import type { Asked, Choice, DataSet } from './data-set.ts'
import { firstOf, MediaFolder, readJson } from './files.ts'

const Questions = z
  .array(
    z
      .object({
        video_name: z.string(),
        question_text: z.string(),
        multi_choice: z.array(z.string()).min(2),
        answer: z.int().nonnegative(),
      })
      .refine(({ answer, multi_choice }) => answer < multi_choice.length, 'the answer is none of the choices'),
  )
  .min(1)

async function read(dir: string, split: string): Promise<Asked> {
  const questions = await readJson(await firstOf(dir, `${split}_qa.json`), Questions)
  const folder = await MediaFolder.open(dir, 'audio')
  const exam: Choice = { task: 'choice', kind: 'audio', cases: [] }
  for (const { video_name, question_text, multi_choice, answer } of questions) {
    const path = folder.find(video_name)
    if (path !== undefined) exam.cases.push({ path, question: question_text, candidates: multi_choice, answer })
  }
  return { exam, missing: folder.missing }
}

export const AVQA: DataSet = {
  name: 'avqa',
  title: 'AVQA',
  splits: ['val', 'train'],
  layout: 'val_qa.json and the sounds of the clips, in any folder below, named as video_name',
  read,
}
