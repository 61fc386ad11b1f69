/** 登录页，以及邀请链接打开的页面。 */
import type { Texts } from "../texts";

export default {
  signIn: "登录",
  slogan: "比较回答，用人的偏好训练模型。",
  email: "电子邮箱",
  password: "密码",
  name: "姓名",
  wrong: "邮箱或密码不正确。",
  noAccount: "还没有账号？请向这个 Podium 的管理员索取邀请链接。",
  invitation: "邀请",
  unusable: "此邀请无法使用",
  notLoaded: "无法加载邀请",
  askAgain: "请向发送邀请的人索取新的链接。",
  toSignIn: "前往登录页",
  welcome: "欢迎使用 Podium",
  invitedAs: {
    admin: "你受邀担任管理员。链接有效期至{{day}}。",
    annotator: "你受邀担任标注员。链接有效期至{{day}}。",
  },
  nameHint: "管理员会在你的判断旁看到这个名字。",
  passwordHint: "至少 10 个字符。",
  create: "创建账号",
} satisfies Texts["entry"];
