/** 标注员可以参与的项目。 */
import type { Texts } from "../texts";

export default {
  title: "项目",
  lead: "请选择你要标注的项目。",
  none: "还没有项目",
  noneText: "管理员创建项目后，这里才会有可以判断的内容。",
  pair: "两个回答中哪个更好",
  graded: "两个回答中哪个更好，好多少",
  ranking_other: "将 {{n}} 个回答从好到差排序",
  judged_other: "目前已有 {{n}} 条判断",
  state: { active: "进行中", paused: "已暂停", closed: "已结束", archived: "已归档" },
  stopped: "目前不分发新的比较。",
} satisfies Texts["projects"];
