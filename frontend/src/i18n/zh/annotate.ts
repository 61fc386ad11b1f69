/** 进行判断的页面。 */
import type { Texts } from "../texts";

export default {
  action: {
    left: "左边（A）更好",
    right: "右边（B）更好",
    tie: "平手",
    none: "均不可接受",
    skip: "跳过",
    undo: "撤销上一条",
    layout: "切换布局",
    flip: "显示另一个回答（逐个显示时）",
    diff: "标出不同的词",
    plain: "显示纯文本而非 Markdown",
    prompt: "折叠或展开提示",
    comment: "写评语",
    guidelines: "查看标注指南",
    down: "两个回答同时向下滚动",
    up: "两个回答同时向上滚动",
    help: "显示所有按键",
  },
  space: "空格",
} satisfies Texts["annotate"];
