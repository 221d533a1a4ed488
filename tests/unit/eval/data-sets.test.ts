/** The published formats, as the readers take them; the files are made here (tests/eval/data-set-files.ts). */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DATA_SETS } from '../../../src/eval/data-sets/catalog.ts'
import type { Asked } from '../../../src/eval/data-sets/data-set.ts'
import { paperFigure } from '../../../src/eval/data-sets/paper.ts'
import { readRefs } from '../../../src/eval/data-sets/refcoco.ts'
import * as files from '../../eval/data-set-files.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-data-set-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** As plain data, with file names in place of paths. */
async function read(name: string, split?: string): Promise<Asked> {
  const dataSet = DATA_SETS.find((each) => each.name === name)!
  const asked = await dataSet.read(dir, split ?? dataSet.splits[0])
  return JSON.parse(JSON.stringify(asked), (_, value) =>
    typeof value === 'string' && value.startsWith(dir) ? basename(value) : value,
  )
}

describe('retrieval', () => {
  it('takes the pictures of a split of COCO with all their sentences, from wherever they lie', async () => {
    await files.writeCoco(dir)
    expect(await read('coco')).toEqual({
      exam: {
        task: 'retrieval',
        kind: 'image',
        media: ['COCO_val2014_1.png', 'COCO_val2014_2.png', 'COCO_val2014_3.png'],
        texts: [
          { text: 'A pizza.', of: 0 },
          { text: 'pizza with cheese', of: 0 },
          { text: 'dog face', of: 1 },
          { text: 'a dog', of: 1 },
          { text: 'guitar', of: 2 },
        ],
      },
      missing: [],
    })
    await rm(join(dir, 'val2014/COCO_val2014_1.png'))
    const { exam, missing } = await read('coco')
    expect(missing).toEqual(['COCO_val2014_1.png'])
    expect(exam).toMatchObject({ media: ['COCO_val2014_2.png', 'COCO_val2014_3.png'] })
    expect(exam).toMatchObject({ texts: expect.arrayContaining([{ text: 'guitar', of: 1 }]) })
    await expect(read('coco', 'val')).rejects.toThrow("dataset_coco.json has no picture of the split 'val'.")
  })

  it('takes Flickr30K, whose file has no folders', async () => {
    await files.writeFlickr30k(dir)
    expect((await read('flickr30k')).exam).toMatchObject({ media: ['1.png', '2.png'] })
  })

  it('puts the captions of a clip of AudioCaps together, finds it under the names that downloaders give, and tells what is gone', async () => {
    await files.writeAudioCaps(dir)
    expect(await read('audiocaps')).toEqual({
      exam: {
        task: 'retrieval',
        kind: 'audio',
        media: ['7fmOlUlwoNg_20.wav', 'Y6BJ455B1aAs.wav'],
        texts: [
          { text: 'Rain falls, hard', of: 0 },
          { text: 'Constant rain', of: 0 },
          { text: 'A helicopter flies', of: 1 },
        ],
      },
      missing: ['gone_gone_g_30'],
    })
  })

  it('takes the five captions of each sound of Clotho', async () => {
    await files.writeClotho(dir)
    const { exam } = await read('clotho')
    expect(exam).toMatchObject({ media: ['Rain on a roof.wav', 'heli.wav'] })
    expect(exam.task === 'retrieval' && exam.texts.map(({ text }) => text).slice(0, 3)).toEqual([
      'rain one',
      'rain, two',
      'rain three',
    ])
    expect(exam.task === 'retrieval' && exam.texts).toHaveLength(10)
  })
})

describe('classes', () => {
  it('are those of ESC-50 in words, by their numbers, of all folds or one', async () => {
    await files.writeEsc50(dir)
    const { exam } = await read('esc50')
    expect(exam).toMatchObject({
      media: [
        { path: '1-100032-A-0.wav', label: 0 },
        { path: '2-100038-A-1.wav', label: 1 },
      ],
      classes: { labels: ['helicopter', 'pouring rain'], template: 'This is a sound of {}' },
    })
    expect((await read('esc50', 'fold2')).exam).toMatchObject({ media: [{ path: '2-100038-A-1.wav', label: 1 }] })
  })

  it('are all labels of VGGSound, those of other splits too', async () => {
    await files.writeVggSound(dir)
    expect((await read('vggsound')).exam).toMatchObject({
      media: [
        { path: '---g-f_I2yQ_000001.wav', label: 2 },
        { path: '--0PQM4-hqg_000030.wav', label: 1 },
      ],
      classes: { labels: ['cow lowing', 'helicopter', 'rain, heavy'] },
    })
  })

  it('are several a sound in FSD50K', async () => {
    await files.writeFsd50k(dir)
    expect((await read('fsd50k')).exam).toMatchObject({
      task: 'tagging',
      media: [
        { path: '37199.wav', labels: [1, 2] },
        { path: '175151.wav', labels: [0] },
      ],
      classes: { labels: ['Aircraft', 'Rain', 'Sounds of water'] },
    })
    await writeFile(join(dir, 'FSD50K.ground_truth/eval.csv'), 'fname,labels,mids\n37199,Snow,x\n')
    await expect(read('fsd50k')).rejects.toThrow("The label 'Snow' of FSD50K is not in vocabulary.csv.")
  })

  it('are the folders of ImageNet, in words where the mapping has them, told apart where two share the first word', async () => {
    await files.writeImageNet(dir)
    expect((await read('imagenet')).exam).toMatchObject({
      media: [
        { path: 'a.png', label: 0 },
        { path: 'b.png', label: 1 },
        { path: 'c.png', label: 2 },
      ],
      classes: { labels: ['crane, bird', 'crane, machine', 'pizza'], template: 'a photo of a {}' },
    })
    await rm(join(dir, 'LOC_synset_mapping.txt'))
    expect((await read('imagenet')).exam).toMatchObject({ classes: { labels: ['n01', 'n02', 'n03'] } })
  })
})

describe('questions and phrases', () => {
  it('are those of AVQA with their choices', async () => {
    await files.writeAvqa(dir)
    const { exam } = await read('avqa')
    expect(exam).toMatchObject({ task: 'choice' })
    expect(exam.task === 'choice' && exam.cases[2]).toEqual({
      path: '6BJ455B1aAs_000000.wav',
      question: 'What flies?',
      candidates: ['a bird', 'a kite', 'a helicopter', 'a bee'],
      answer: 2,
    })
  })

  it.each([
    ['refcoco', 'unc'],
    ['refcoco+', 'unc'],
    ['refcocog', 'umd'],
  ])('are the sentences of %s with the corners of their boxes', async (name, by) => {
    await files.writeRefCoco(dir, by)
    expect((await read(name)).exam).toEqual({
      task: 'grounding',
      cases: [
        { path: 'COCO_train2014_000000581857.png', phrase: 'the pizza', box: [10.5, 20, 60.5, 80] },
        { path: 'COCO_train2014_000000581857.png', phrase: 'round thing', box: [10.5, 20, 60.5, 80] },
        { path: 'COCO_train2014_000000581857.png', phrase: 'corner', box: [0, 0, 30, 30] },
        { path: 'COCO_train2014_000000581921.png', phrase: 'lower right', box: [64, 64, 128, 128] },
      ],
    })
  })
})

describe('refs', () => {
  const refs = [
    {
      ann_id: 1,
      image_id: 581857,
      split: 'val',
      sentences: [{ sent: 'the woman\'s caf\u00e9 "x" \\ end', tokens: ['the'], raw: 'THE', sent_id: 7 }],
      box: [0.5, -2, 1e-3],
      isOdd: true,
    },
  ]
  const python = pythonIsThere()

  it.skipIf(!python).each([0, 1, 2, 3, 4, 5])("are read from Python's pickles of protocol %i", async (protocol) => {
    const path = join(dir, 'refs(unc).p')
    const program =
      'import json, pickle, sys; pickle.dump(json.loads(sys.argv[1]), open(sys.argv[2], "wb"), int(sys.argv[3]))'
    execFileSync('python3', ['-c', program, JSON.stringify(refs), path, String(protocol)])
    expect(await readRefs(path)).toEqual([
      { ann_id: 1, image_id: 581857, split: 'val', sentences: [{ sent: 'the woman\'s caf\u00e9 "x" \\ end' }] },
    ])
  })

  it('are read as Python 2 wrote them: byte strings as repr() has them, numbers in decimal', async () => {
    const path = join(dir, 'refs(unc).p')
    const text = `(lp1\n(dp2\nS'sentences'\np3\n(lp4\n(dp5\nS'sent'\np6\nS"a dog's caf\\xc3\\xa9"\np7\nsasS'ann_id'\np8\nL12L\nsS'image_id'\np9\nI34\nsS'split'\np10\nVval\np11\nsS'done'\nI01\nsa.`
    await writeFile(path, text)
    expect(await readRefs(path)).toEqual([
      { ann_id: 12, image_id: 34, split: 'val', sentences: [{ sent: "a dog's café" }] },
    ])
  })

  it('may be hostile: nothing of them is executed', async () => {
    const path = join(dir, 'refs(unc).p')
    await writeFile(path, "cos\nsystem\n(S'touch owned'\ntR.")
    await expect(readRefs(path)).rejects.toThrow(
      /cannot be read\. Its pickle asks for "os\.system".*nothing was executed/,
    )
    await writeFile(path, '(lp1\n')
    await expect(readRefs(path)).rejects.toThrow(/cannot be read\. Its pickle is damaged/)
    await writeFile(path, Buffer.from([0x80, 2, 0x4b, 1, 0x2e]))
    await expect(readRefs(path)).rejects.toThrow('not in the format that was expected')
  })

  function pythonIsThere(): boolean {
    try {
      execFileSync('python3', ['--version'], { stdio: 'ignore' })
      return true
    } catch {
      console.warn('SKIPPED: there is no python3 to write pickles with.')
      return false
    }
  }
})

describe('a folder that is not what it should be', () => {
  it('is told with the file that was expected', async () => {
    await expect(read('coco')).rejects.toThrow(`The folder ${dir} has none of dataset_coco.json`)
    await expect(read('esc50')).rejects.toThrow('There is no file')
    await expect(read('imagenet')).rejects.toThrow('has no folders of classes')
    await writeFile(join(dir, 'dataset_coco.json'), '{"images": [{"filename": 1}]}')
    await expect(read('coco')).rejects.toThrow('at images.0.filename')
    await writeFile(join(dir, 'dataset_coco.json'), '{')
    await expect(read('coco')).rejects.toThrow('is not valid JSON')
    await writeFile(join(dir, 'test.csv'), 'a,b\n1,2\n')
    await expect(read('audiocaps')).rejects.toThrow('lacks the columns audiocap_id, youtube_id')
    await files.writeFlickr30k(dir)
    await rm(join(dir, 'flickr30k-images'), { recursive: true })
    await expect(read('flickr30k')).rejects.toThrow(`There is no picture in ${dir} or below it.`)
  })
})

describe("the paper's figures", () => {
  it('are there for the split that is taken of each data set, and for no measure that the paper has not', () => {
    const of = { image: 'image → text', audio: 'sound → text' }
    const rows = {
      coco: [of.image, 'R@1'],
      flickr30k: [of.image, 'R@1'],
      audiocaps: [of.audio, 'R@1'],
      clotho: [of.audio, 'R@1'],
      esc50: ['classes', 'accuracy'],
      fsd50k: ['classes', 'mAP'],
      vggsound: ['classes', 'accuracy'],
      avqa: ['answers', 'accuracy'],
      refcoco: ['phrases', 'Acc@0.5'],
      'refcoco+': ['phrases', 'Acc@0.5'],
      refcocog: ['phrases', 'Acc@0.5'],
      imagenet: ['classes', 'accuracy'],
    }
    expect(Object.keys(rows)).toEqual(DATA_SETS.map(({ name }) => name))
    for (const { name, splits } of DATA_SETS) {
      const [task, measure] = rows[name as keyof typeof rows] as [string, string]
      const { value, condition } = paperFigure(name, splits[0], { task, measure })!
      expect(value).toBeGreaterThan(0.2)
      expect(value).toBeLessThan(1)
      expect(condition).toMatch(/fine-tuned|zero-shot/)
      expect(paperFigure(name, splits[0], { task, measure: 'R@5' })).toBeUndefined()
    }
  })
})
