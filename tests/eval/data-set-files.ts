/** Small data sets in the published formats, in a folder each, with sample pictures and sounds for media. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeSampleMedia } from '../sample-media.ts'
import { dict, op, pickle } from '../unit/checkpoint/builders.ts'

/** Files of text or bytes by their path below `dir`; `media` are copies of sample files. */
async function write(dir: string, files: Record<string, string | Uint8Array>, media: Record<string, string> = {}) {
  const samples = join(dir, '.samples') // hidden: no reader looks there
  await writeSampleMedia(samples)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
  for (const [path, sample] of Object.entries(media)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await cp(join(samples, sample), join(dir, path))
  }
}

const lines = (...all: string[]) => `${all.join('\n')}\n`

function karpathy(dataset: string, pictures: [filename: string, split: string, ...sentences: string[]][]): string {
  const images = pictures.map(([filename, split, ...sentences], imgid) => ({
    ...(dataset === 'coco' && { filepath: 'val2014', cocoid: 1000 + imgid }),
    sentids: sentences.map((_, i) => i),
    filename,
    imgid,
    split,
    sentences: sentences.map((raw, i) => ({ tokens: raw.toLowerCase().split(' '), raw, imgid, sentid: i })),
  }))
  return JSON.stringify({ images, dataset })
}

export const writeCoco = (dir: string) =>
  write(
    dir,
    {
      'dataset_coco.json': karpathy('coco', [
        ['COCO_val2014_1.png', 'test', 'A pizza.', 'pizza with cheese'],
        ['COCO_val2014_2.png', 'test', 'dog face', 'a dog'],
        ['COCO_val2014_3.png', 'test', 'guitar'],
        ['COCO_train2014_4.png', 'train', 'nobody asks'],
      ]),
    },
    {
      'val2014/COCO_val2014_1.png': 'pizza.png',
      'val2014/COCO_val2014_2.png': 'dog.png',
      'val2014/COCO_val2014_3.png': 'guitar.png',
    },
  )

export const writeFlickr30k = (dir: string) =>
  write(
    dir,
    {
      'dataset_flickr30k.json': karpathy('flickr30k', [
        ['1.png', 'test', 'pizza'],
        ['2.png', 'test', 'dog'],
      ]),
    },
    { 'flickr30k-images/1.png': 'pizza.png', 'flickr30k-images/2.png': 'dog.png' },
  )

export const writeAudioCaps = (dir: string) =>
  write(
    dir,
    {
      'test.csv': lines(
        'audiocap_id,youtube_id,start_time,caption',
        '103549,7fmOlUlwoNg,20,"Rain falls, hard"',
        '103541,6BJ455B1aAs,0,A helicopter flies',
        '103550,7fmOlUlwoNg,20,Constant rain',
        '103999,gone_gone_g,30,Nobody has this clip any more',
      ),
    },
    { 'clips/7fmOlUlwoNg_20.wav': 'rain.wav', 'clips/Y6BJ455B1aAs.wav': 'helicopter.wav' },
  )

export const writeClotho = (dir: string) =>
  write(
    dir,
    {
      'clotho_captions_evaluation.csv': lines(
        'file_name,caption_1,caption_2,caption_3,caption_4,caption_5',
        'Rain on a roof.wav,rain one,"rain, two",rain three,rain four,rain five',
        'heli.wav,h one,h two,h three,h four,h five',
      ),
    },
    { 'evaluation/Rain on a roof.wav': 'rain.wav', 'evaluation/heli.wav': 'helicopter.wav' },
  )

export const writeEsc50 = (dir: string) =>
  write(
    dir,
    {
      'meta/esc50.csv': lines(
        'filename,fold,target,category,esc10,src_file,take',
        '1-100032-A-0.wav,1,0,helicopter,True,100032,A',
        '2-100038-A-1.wav,2,1,pouring_rain,False,100038,A',
      ),
    },
    { 'audio/1-100032-A-0.wav': 'helicopter.wav', 'audio/2-100038-A-1.wav': 'rain.wav' },
  )

export const writeVggSound = (dir: string) =>
  write(
    dir,
    {
      'vggsound.csv': lines(
        '---g-f_I2yQ,1,"rain, heavy",test',
        '--0PQM4-hqg,30,helicopter,test',
        '--56QUhyDQM,185,cow lowing,train',
      ),
    },
    { 'audio/---g-f_I2yQ_000001.wav': 'rain.wav', 'audio/--0PQM4-hqg_000030.wav': 'helicopter.wav' },
  )

export const writeFsd50k = (dir: string) =>
  write(
    dir,
    {
      'FSD50K.ground_truth/vocabulary.csv': lines(
        '0,Aircraft,/m/0k5j',
        '1,Rain,/m/06mb1',
        '2,Sounds_of_water,/m/0838f',
      ),
      'FSD50K.ground_truth/eval.csv': lines(
        'fname,labels,mids',
        '37199,"Rain,Sounds_of_water","/m/06mb1,/m/0838f"',
        '175151,Aircraft,/m/0k5j',
      ),
    },
    { 'FSD50K.eval_audio/37199.wav': 'rain.wav', 'FSD50K.eval_audio/175151.wav': 'helicopter.wav' },
  )

export const writeAvqa = (dir: string) =>
  write(
    dir,
    {
      'val_qa.json': JSON.stringify(
        [
          ['-HG3Omg_89c_000030', 'What is it?', ['rain', 'a dog', 'a car', 'a bell'], 0],
          ['-HG3Omg_89c_000030', 'Where is it?', ['inside', 'outside', 'below', 'above'], 1],
          ['6BJ455B1aAs_000000', 'What flies?', ['a bird', 'a kite', 'a helicopter', 'a bee'], 2],
        ].map(([video_name, question_text, multi_choice, answer], id) => ({
          id,
          video_name,
          video_id: 10 + id,
          question_text,
          multi_choice,
          answer,
          question_relation: 'Sound',
          question_type: 'Which',
        })),
      ),
    },
    { 'audio/-HG3Omg_89c_000030.wav': 'rain.wav', 'audio/6BJ455B1aAs_000000.wav': 'helicopter.wav' },
  )

/** One ref as `refer` pickles it; `raw` says what a person typed. */
function ref(ann_id: number, image_id: number, split: string, ...sents: string[]): Buffer {
  const sentences = sents.map((sent, i) =>
    dict({ tokens: list(sent.split(' ').map(op.text)), raw: op.text(sent), sent_id: op.int(i), sent: op.text(sent) }),
  )
  return dict({
    sent_ids: list(sents.map((_, i) => op.int(i))),
    file_name: op.text(`COCO_train2014_${image_id}_${ann_id}.jpg`),
    ann_id: op.int(ann_id),
    ref_id: op.int(ann_id * 10),
    image_id: op.int(image_id),
    split: op.text(split),
    sentences: list(sentences),
    category_id: op.int(1),
  })
}

const list = (items: Buffer[]) => Buffer.concat([op.emptyList, ...items.flatMap((item) => [item, op.append])])

const INSTANCES = JSON.stringify({
  images: [
    { id: 581857, file_name: 'COCO_train2014_000000581857.png', height: 128, width: 128 },
    { id: 581921, file_name: 'COCO_train2014_000000581921.png', height: 128, width: 128 },
  ],
  annotations: [
    { id: 1719310, image_id: 581857, bbox: [10.5, 20, 50, 60], category_id: 1 },
    { id: 1719311, image_id: 581857, bbox: [0, 0, 30, 30], category_id: 1 },
    { id: 1719312, image_id: 581921, bbox: [64, 64, 64, 64], category_id: 1 },
  ],
})

const REFS = pickle(
  list([
    ref(1719310, 581857, 'val', 'the pizza', 'round thing'),
    ref(1719311, 581857, 'val', 'corner'),
    ref(1719312, 581921, 'val', 'lower right'),
    ref(1719310, 581857, 'testA', 'only in testA'),
  ]),
)

export const writeRefCoco = (dir: string, by = 'unc') =>
  write(
    dir,
    { [`refs(${by}).p`]: REFS, 'instances.json': INSTANCES },
    {
      'train2014/COCO_train2014_000000581857.png': 'pizza.png',
      'train2014/COCO_train2014_000000581921.png': 'dog.png',
    },
  )

export const writeImageNet = (dir: string) =>
  write(
    dir,
    { 'LOC_synset_mapping.txt': lines('n01 crane, bird', 'n02 crane, machine', 'n03 pizza, pizza pie') },
    { 'val/n01/a.png': 'dog.png', 'val/n02/b.png': 'guitar.png', 'val/n03/c.png': 'pizza.png' },
  )
